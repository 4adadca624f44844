//go:build race

package encoder

const raceDetector = true
