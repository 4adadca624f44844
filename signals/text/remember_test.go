package text

import (
	"fmt"
	"testing"
)

func TestMemory_KeepsTheLastAndIsBounded(t *testing.T) {
	var m memory
	for i := range 5 * rememberedTexts {
		m.keep(heard{text: fmt.Sprint(i)}, Prediction{Probability: float64(i)})
		if p, ok := m.get(heard{text: "0"}); i < rememberedTexts && (!ok || p.Probability != 0) {
			t.Fatalf("after %d texts the first is forgotten", i)
		}
	}
	if p, ok := m.get(heard{text: fmt.Sprint(5*rememberedTexts - 1)}); !ok || p.Probability != 5*rememberedTexts-1 {
		t.Errorf("the last text: %v, %v", p, ok)
	}
	if n := len(m.young) + len(m.old); n > 2*rememberedTexts {
		t.Errorf("%d texts are kept", n)
	}
	// "0" was asked for all the time: what is asked for stays.
	if _, ok := m.get(heard{text: "0"}); !ok {
		t.Error("a text that was asked for again and again is forgotten")
	}
	if _, ok := m.get(heard{text: "1"}); ok {
		t.Error("a text nobody asked for is still there")
	}
}
