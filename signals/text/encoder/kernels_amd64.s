//go:build amd64 && !purego

#include "textflag.h"
#include "go_asm.h"

// Every kernel does the operations of its twin in kernels.go in the same order
// for each output element: a multiplication, then an addition, never FMA.

// ROWSTEP adds a pair of k of one row to its sixteen sums: the pair is spread
// over all lanes, multiplied with the pairs of eight outputs in Y8 and of
// eight in Y9, and each pair of products summed.
#define ROWSTEP(addr, lo, hi) \
	VPBROADCASTD addr, Y10 \
	VPMADDWD     Y8, Y10, Y12 \
	VPMADDWD     Y9, Y10, Y13 \
	VPADDD       Y12, lo, lo \
	VPADDD       Y13, hi, hi

#define PAIRSTEP(boff, aoff) \
	VPMOVSXBW boff(DX), Y8 \
	VPMOVSXBW (boff+16)(DX), Y9 \
	ROWSTEP(aoff(SI)(CX*4), Y0, Y1) \
	ROWSTEP(aoff(R8)(CX*4), Y2, Y3) \
	ROWSTEP(aoff(R9)(CX*4), Y4, Y5) \
	ROWSTEP(aoff(R10)(CX*4), Y6, Y7)

// ROWOUT scales the sums of one row, adds the bias and stores them.
#define ROWOUT(off, lo, hi) \
	VBROADCASTSS off(R11), Y10 \
	VMULPS       Y8, Y10, Y11 \
	VMULPS       Y9, Y10, Y12 \
	VCVTDQ2PS    lo, lo \
	VCVTDQ2PS    hi, hi \
	VMULPS       Y11, lo, lo \
	VMULPS       Y12, hi, hi \
	VADDPS       Y13, lo, lo \
	VADDPS       Y14, hi, hi \
	VMOVUPS      lo, (DI) \
	VMOVUPS      hi, 32(DI) \
	ADDQ         R12, DI

// func linearAVX2(p *linearArgs)
TEXT ·linearAVX2(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	MOVQ linearArgs_dst(AX), DI
	MOVQ linearArgs_ldd(AX), R12
	SHLQ $2, R12
	MOVQ linearArgs_a(AX), SI
	MOVQ linearArgs_lda(AX), R13
	SHLQ $1, R13
	MOVQ linearArgs_rowScale(AX), R11
	MOVQ linearArgs_quads(AX), BX

	// Meanwhile the next panel is fetched, which follows this one: a quad asks
	// for every second line of it, the next quad for the others.
	MOVQ linearArgs_pairs(AX), R15
	SHLQ $5, R15

quad:
	LEAQ  (SI)(R13*1), R8
	LEAQ  (R8)(R13*1), R9
	LEAQ  (R9)(R13*1), R10
	MOVQ  linearArgs_b(AX), DX
	XORQ  CX, CX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7

pair:
	PREFETCHT1 (DX)(R15*1)
	PAIRSTEP(0, 0)
	PAIRSTEP(32, 4)
	PAIRSTEP(64, 8)
	PAIRSTEP(96, 12)
	ADDQ $128, DX
	ADDQ $4, CX
	CMPQ CX, linearArgs_pairs(AX)
	JLT  pair

	MOVQ    linearArgs_colScale(AX), CX
	VMOVUPS (CX), Y8
	VMOVUPS 32(CX), Y9
	MOVQ    linearArgs_bias(AX), CX
	VMOVUPS (CX), Y13
	VMOVUPS 32(CX), Y14
	ROWOUT(0, Y0, Y1)
	ROWOUT(4, Y2, Y3)
	ROWOUT(8, Y4, Y5)
	ROWOUT(12, Y6, Y7)
	ADDQ    $16, R11
	LEAQ    (R10)(R13*1), SI
	XORQ    $64, R15
	DECQ    BX
	JNZ     quad
	VZEROUPPER
	RET

#define MULROW(addr, acc) \
	VBROADCASTSS addr, Y5 \
	VMULPS       Y4, Y5, Y5 \
	VADDPS       Y5, acc, acc

// func multiplyAVX2(p *multiplyArgs)
TEXT ·multiplyAVX2(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	MOVQ multiplyArgs_dst(AX), DI
	MOVQ multiplyArgs_ldd(AX), R12
	SHLQ $2, R12
	MOVQ multiplyArgs_a(AX), SI
	MOVQ multiplyArgs_lda(AX), R13
	SHLQ $2, R13
	MOVQ multiplyArgs_ldb(AX), R11
	SHLQ $2, R11
	MOVQ multiplyArgs_quads(AX), BX

mquad:
	LEAQ (SI)(R13*1), R8
	LEAQ (R8)(R13*1), R9
	LEAQ (R9)(R13*1), R10
	XORQ CX, CX               // column in bytes

mcol:
	MOVQ   multiplyArgs_b(AX), DX
	ADDQ   CX, DX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ   R15, R15

mk:
	VMOVUPS (DX), Y4
	MULROW((SI)(R15*4), Y0)
	MULROW((R8)(R15*4), Y1)
	MULROW((R9)(R15*4), Y2)
	MULROW((R10)(R15*4), Y3)
	ADDQ    R11, DX
	INCQ    R15
	CMPQ    R15, multiplyArgs_k(AX)
	JLT     mk

	LEAQ    (DI)(CX*1), DX
	VMOVUPS Y0, (DX)
	ADDQ    R12, DX
	VMOVUPS Y1, (DX)
	ADDQ    R12, DX
	VMOVUPS Y2, (DX)
	ADDQ    R12, DX
	VMOVUPS Y3, (DX)
	ADDQ    $32, CX
	MOVQ    multiplyArgs_cols(AX), R15
	SHLQ    $2, R15
	CMPQ    CX, R15
	JLT     mcol

	LEAQ (DI)(R12*4), DI
	LEAQ (R10)(R13*1), SI
	DECQ BX
	JNZ  mquad
	VZEROUPPER
	RET

// func absMaxAVX2(x *float32, n int) float32
TEXT ·absMaxAVX2(SB), NOSPLIT, $0-20
	MOVQ     x+0(FP), SI
	MOVQ     n+8(FP), BX
	VPCMPEQD Y15, Y15, Y15
	VPSRLD   $1, Y15, Y15
	VXORPS   Y0, Y0, Y0
	VXORPS   Y2, Y2, Y2
	XORQ     CX, CX

amax:
	VANDPS (SI)(CX*4), Y15, Y1
	VANDPS 32(SI)(CX*4), Y15, Y3
	VMAXPS Y1, Y0, Y0
	VMAXPS Y3, Y2, Y2
	ADDQ   $16, CX
	CMPQ   CX, BX
	JLT    amax

	VMAXPS       Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VMOVHLPS     X0, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSHDUP    X0, X1
	VMAXSS       X1, X0, X0
	VMOVSS       X0, ret+16(FP)
	VZEROUPPER
	RET

// func quantiseAVX2(dst *int16, x *float32, n int, by float32)
TEXT ·quantiseAVX2(SB), NOSPLIT, $0-28
	MOVQ         dst+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), BX
	VBROADCASTSS by+24(FP), Y15
	MOVL         $const_roundBits, AX
	VMOVD        AX, X14
	VPBROADCASTD X14, Y14
	XORQ         CX, CX

quant:
	VMULPS    (SI)(CX*4), Y15, Y0
	VMULPS    32(SI)(CX*4), Y15, Y1
	VADDPS    Y14, Y0, Y0
	VADDPS    Y14, Y1, Y1
	VPSUBD    Y14, Y0, Y0
	VPSUBD    Y14, Y1, Y1
	VPACKSSDW Y1, Y0, Y0
	VPERMQ    $0xd8, Y0, Y0
	VMOVDQU   Y0, (DI)(CX*2)
	ADDQ      $16, CX
	CMPQ      CX, BX
	JLT       quant
	VZEROUPPER
	RET
