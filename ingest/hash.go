package ingest

import (
	"encoding/binary"

	"github.com/google/uuid"

	"redalert/schemas"
)

// Namespaces of derived ids. They are part of the contract with every store:
// changing one makes every event new.
var (
	eventSpace      = uuid.MustParse("6f0d3f0c-3f0e-5f5e-9a3b-0a6a4f1f7c01")
	quarantineSpace = uuid.MustParse("6f0d3f0c-3f0e-5f5e-9a3b-0a6a4f1f7c02")
)

// EventID derives the id of an event: UUIDv5 over source, type, native id and
// revision, each preceded by its length, so that no two different quadruples
// share an encoding. Equal inputs give equal ids on every machine.
func EventID(source string, t schemas.EventType, nativeID, revision string) string {
	return derive(eventSpace, source, string(t), nativeID, revision)
}

// quarantineID makes the same failure of the same bytes the same row.
func quarantineID(source, locator, code, rawSHA256 string) string {
	return derive(quarantineSpace, source, locator, code, rawSHA256)
}

func derive(space uuid.UUID, parts ...string) string {
	b := make([]byte, 0, 256)
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return uuid.NewSHA1(space, b).String()
}
