//go:build race

package importer

func init() { raced = true }
