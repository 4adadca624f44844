//go:build amd64 && !purego

package encoder

import "golang.org/x/sys/cpu"

// haveSIMD says whether the vector kernels run on this machine.
func haveSIMD() bool { return cpu.X86.HasAVX2 }

//go:noescape
func linearAVX2(p *linearArgs)

//go:noescape
func multiplyAVX2(p *multiplyArgs)

//go:noescape
func layerNormAVX2(dst, x, rest, gamma, beta *float32, n int, eps float32)

//go:noescape
func absMaxAVX2(x *float32, n int) float32

//go:noescape
func quantiseAVX2(dst *int16, x *float32, n int, by float32)

//go:noescape
func geluAVX2(x *float32, n int, c *[geluConsts][8]float32)

//go:noescape
func softmaxAVX2(x *float32, n int, scale float32, c *[expConsts][8]float32)
