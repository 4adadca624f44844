//go:build !amd64 || purego

package encoder

// There are no vector kernels here; the portable ones answer the same bits.

func haveSIMD() bool { return false }

func linearAVX2(*linearArgs) { panic("encoder: no vector kernels") }

func multiplyAVX2(*multiplyArgs) { panic("encoder: no vector kernels") }

func layerNormAVX2(_, _, _, _, _ *float32, _ int, _ float32) { panic("encoder: no vector kernels") }

func absMaxAVX2(*float32, int) float32 { panic("encoder: no vector kernels") }

func quantiseAVX2(*int16, *float32, int, float32) { panic("encoder: no vector kernels") }

func geluAVX2(*float32, int, *[geluConsts][8]float32) { panic("encoder: no vector kernels") }

func softmaxAVX2(*float32, int, float32, *[expConsts][8]float32) {
	panic("encoder: no vector kernels")
}
