package encoder

import (
	"bytes"
	"sync"
)

// vocabulary finds the ids of word pieces. The words stay in the file; an index
// of six or so bytes a word is made when the first is looked for.
type vocabulary struct {
	raw     []byte // each word with a newline
	size    int
	longest int // bytes of the longest piece, without "##"

	cls, sep, unknown int32

	once    sync.Once
	offsets []uint32 // of each word, and the end of the last
	slots   []uint16 // open addressing: id+1, 0 for empty
}

func newVocabulary(raw []byte) (*vocabulary, error) {
	v := &vocabulary{raw: raw, cls: -1, sep: -1, unknown: -1}
	if len(raw) == 0 || raw[len(raw)-1] != '\n' {
		return nil, damaged("the vocabulary does not end with a newline")
	}
	for line := range bytes.Lines(raw) {
		switch string(line[:len(line)-1]) {
		case "":
			return nil, damaged("word %d of the vocabulary is empty", v.size)
		case "[CLS]":
			v.cls = int32(v.size)
		case "[SEP]":
			v.sep = int32(v.size)
		case "[UNK]":
			v.unknown = int32(v.size)
		}
		v.longest = max(v.longest, len(bytes.TrimPrefix(line, []byte("##")))-1)
		v.size++
	}
	if v.size > maxVocabulary {
		return nil, damaged("the vocabulary has %d words; up to %d are possible", v.size, maxVocabulary)
	}
	if v.cls < 0 || v.sep < 0 || v.unknown < 0 {
		return nil, damaged("the vocabulary lacks [CLS], [SEP] or [UNK]")
	}
	return v, nil
}

// FNV-1a, 32 bits.
const (
	hashOffset = 2166136261
	hashPrime  = 16777619
	// hashInner is the hash of "##", which begins pieces within a word.
	hashInner = ((hashOffset^'#')*hashPrime&0xffffffff ^ '#') * hashPrime & 0xffffffff
)

func (v *vocabulary) build() {
	v.offsets = make([]uint32, 0, v.size+1)
	bits := 1
	for 1<<bits < 2*v.size {
		bits++
	}
	v.slots = make([]uint16, 1<<bits)
	at := uint32(0)
	for line := range bytes.Lines(v.raw) {
		v.offsets = append(v.offsets, at)
		at += uint32(len(line))
		h := uint32(hashOffset)
		for _, c := range line[:len(line)-1] {
			h = (h ^ uint32(c)) * hashPrime
		}
		i := v.slot(h)
		for v.slots[i] != 0 {
			i = (i + 1) & uint32(len(v.slots)-1)
		}
		v.slots[i] = uint16(len(v.offsets))
	}
	v.offsets = append(v.offsets, at)
}

// slot is where to begin looking; the upper bits of FNV are the better mixed.
func (v *vocabulary) slot(h uint32) uint32 { return (h ^ h>>15) & uint32(len(v.slots)-1) }

// find answers the id of a piece with this hash; of equal words the first.
// Pieces within a word are given without their "##".
func (v *vocabulary) find(h uint32, piece []byte, inner bool) (int32, bool) {
	v.once.Do(v.build)
	for i := v.slot(h); v.slots[i] != 0; i = (i + 1) & uint32(len(v.slots)-1) {
		id := v.slots[i] - 1
		word := v.raw[v.offsets[id] : v.offsets[id+1]-1]
		if inner {
			if len(word) < 2 || word[0] != '#' || word[1] != '#' {
				continue
			}
			word = word[2:]
		}
		if string(word) == string(piece) {
			return int32(id), true
		}
	}
	return 0, false
}
