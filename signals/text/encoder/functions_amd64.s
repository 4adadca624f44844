//go:build amd64 && !purego

#include "textflag.h"
#include "go_asm.h"

// See kernels_amd64.s.

// HSUM adds the eight lanes of y (x its low half) as sumLanes does; the result
// is in lane 0 of x.
#define HSUM(y, x, tmp) \
	VEXTRACTF128 $1, y, tmp \
	VADDPS       tmp, x, x \
	VMOVHLPS     x, x, tmp \
	VADDPS       tmp, x, x \
	VMOVSHDUP    x, tmp \
	VADDSS       tmp, x, x

// func layerNormAVX2(dst, x, rest, gamma, beta *float32, n int, eps float32)
TEXT ·layerNormAVX2(SB), NOSPLIT, $0-52
	MOVQ       dst+0(FP), DI
	MOVQ       x+8(FP), SI
	MOVQ       rest+16(FP), DX
	MOVQ       gamma+24(FP), R8
	MOVQ       beta+32(FP), R9
	MOVQ       n+40(FP), BX
	VCVTSI2SSQ BX, X15, X15
	VXORPS     Y0, Y0, Y0
	XORQ       CX, CX

lnsum:
	VMOVUPS (SI)(CX*4), Y1
	VADDPS  (DX)(CX*4), Y1, Y1
	VMOVUPS Y1, (DI)(CX*4)
	VADDPS  Y1, Y0, Y0
	ADDQ    $8, CX
	CMPQ    CX, BX
	JLT     lnsum

	HSUM(Y0, X0, X1)
	VDIVSS       X15, X0, X0
	VBROADCASTSS X0, Y2       // mean
	VXORPS       Y0, Y0, Y0
	XORQ         CX, CX

lnvar:
	VMOVUPS (DI)(CX*4), Y1
	VSUBPS  Y2, Y1, Y1
	VMOVUPS Y1, (DI)(CX*4)
	VMULPS  Y1, Y1, Y1
	VADDPS  Y1, Y0, Y0
	ADDQ    $8, CX
	CMPQ    CX, BX
	JLT     lnvar

	HSUM(Y0, X0, X1)
	VDIVSS       X15, X0, X0
	VADDSS       eps+48(FP), X0, X0
	VSQRTSS      X0, X0, X0
	MOVL         $0x3f800000, AX
	VMOVD        AX, X1
	VDIVSS       X0, X1, X1
	VBROADCASTSS X1, Y2
	XORQ         CX, CX

lnout:
	VMULPS  (DI)(CX*4), Y2, Y1
	VMULPS  (R8)(CX*4), Y1, Y1
	VADDPS  (R9)(CX*4), Y1, Y1
	VMOVUPS Y1, (DI)(CX*4)
	ADDQ    $8, CX
	CMPQ    CX, BX
	JLT     lnout
	VZEROUPPER
	RET

// func geluAVX2(x *float32, n int, c *[geluConsts][8]float32)
TEXT ·geluAVX2(SB), NOSPLIT, $0-24
	MOVQ    x+0(FP), SI
	MOVQ    n+8(FP), BX
	MOVQ    c+16(FP), DX
	VMOVUPS (DX), Y15     // 1/sqrt(2)
	VMOVUPS 32(DX), Y14   // 4
	VMOVUPS 64(DX), Y13   // -4
	VMOVUPS 96(DX), Y12   // 1
	VMOVUPS 128(DX), Y11  // 0.5
	XORQ    CX, CX

gelu:
	VMOVUPS (SI)(CX*4), Y0
	VMULPS  Y15, Y0, Y1
	VMINPS  Y14, Y1, Y1
	VMAXPS  Y13, Y1, Y1
	VMULPS  Y1, Y1, Y2
	VMULPS  160(DX), Y2, Y3
	VADDPS  192(DX), Y3, Y3
	VMULPS  Y2, Y3, Y3
	VADDPS  224(DX), Y3, Y3
	VMULPS  Y2, Y3, Y3
	VADDPS  256(DX), Y3, Y3
	VMULPS  Y2, Y3, Y3
	VADDPS  288(DX), Y3, Y3
	VMULPS  Y1, Y3, Y3
	VMULPS  320(DX), Y2, Y4
	VADDPS  352(DX), Y4, Y4
	VMULPS  Y2, Y4, Y4
	VADDPS  384(DX), Y4, Y4
	VMULPS  Y2, Y4, Y4
	VADDPS  416(DX), Y4, Y4
	VMULPS  Y2, Y4, Y4
	VADDPS  448(DX), Y4, Y4
	VMULPS  Y2, Y4, Y4
	VADDPS  480(DX), Y4, Y4
	VDIVPS  Y4, Y3, Y3
	VADDPS  Y12, Y3, Y3
	VMULPS  Y11, Y0, Y0
	VMULPS  Y3, Y0, Y0
	VMOVUPS Y0, (SI)(CX*4)
	ADDQ    $8, CX
	CMPQ    CX, BX
	JLT     gelu
	VZEROUPPER
	RET

// func softmaxAVX2(x *float32, n int, scale float32, c *[expConsts][8]float32)
TEXT ·softmaxAVX2(SB), NOSPLIT, $0-32
	MOVQ         x+0(FP), SI
	MOVQ         n+8(FP), BX
	VBROADCASTSS scale+16(FP), Y15
	MOVQ         c+24(FP), DX
	VMOVUPS      (SI), Y0
	XORQ         CX, CX

smax:
	VMAXPS (SI)(CX*4), Y0, Y0
	ADDQ   $8, CX
	CMPQ   CX, BX
	JLT    smax

	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VMOVHLPS     X0, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSHDUP    X0, X1
	VMAXSS       X1, X0, X0
	VBROADCASTSS X0, Y14      // max
	VMOVUPS      (DX), Y13    // least
	VMOVUPS      32(DX), Y12  // log2(e)
	VMOVUPS      64(DX), Y11  // magic
	VMOVUPS      96(DX), Y10  // ln2, high part
	VMOVUPS      128(DX), Y9  // ln2, low part
	VMOVUPS      160(DX), Y8  // 1
	VXORPS       Y0, Y0, Y0
	XORQ         CX, CX

sexp:
	VMOVUPS (SI)(CX*4), Y1
	VSUBPS  Y14, Y1, Y1
	VMULPS  Y15, Y1, Y1
	VMAXPS  Y13, Y1, Y1
	VMULPS  Y12, Y1, Y2
	VADDPS  Y11, Y2, Y2
	VPSLLD  $23, Y2, Y3
	VPADDD  Y8, Y3, Y3      // 2^n
	VSUBPS  Y11, Y2, Y2     // n
	VMULPS  Y10, Y2, Y4
	VSUBPS  Y4, Y1, Y1
	VMULPS  Y9, Y2, Y4
	VSUBPS  Y4, Y1, Y1      // r
	VMULPS  192(DX), Y1, Y5
	VADDPS  224(DX), Y5, Y5
	VMULPS  Y1, Y5, Y5
	VADDPS  256(DX), Y5, Y5
	VMULPS  Y1, Y5, Y5
	VADDPS  288(DX), Y5, Y5
	VMULPS  Y1, Y5, Y5
	VADDPS  320(DX), Y5, Y5
	VMULPS  Y1, Y5, Y5
	VADDPS  352(DX), Y5, Y5
	VMULPS  Y1, Y5, Y5
	VMULPS  Y1, Y5, Y5
	VADDPS  Y1, Y5, Y5
	VADDPS  Y8, Y5, Y5
	VMULPS  Y3, Y5, Y5
	VMOVUPS Y5, (SI)(CX*4)
	VADDPS  Y5, Y0, Y0
	ADDQ    $8, CX
	CMPQ    CX, BX
	JLT     sexp

	HSUM(Y0, X0, X1)
	VDIVSS       X0, X8, X0
	VBROADCASTSS X0, Y0
	XORQ         CX, CX

snorm:
	VMULPS  (SI)(CX*4), Y0, Y1
	VMOVUPS Y1, (SI)(CX*4)
	ADDQ    $8, CX
	CMPQ    CX, BX
	JLT     snorm
	VZEROUPPER
	RET
