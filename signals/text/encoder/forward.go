package encoder

// scratch is the memory of one call; it is reused. Rows are padded to whole
// quads. What stands in rows of padding is finite and never read.
type scratch struct {
	reader    reader
	typeStart int

	tokens, quads int
	x, y          []float32 // [rows][hidden]
	wide          []float32 // [rows][3·hidden] or [rows][intermediate]
	a             []int16   // quantised rows
	scale         []float32 // of each of them
	keys          []float32 // of one head, transposed: [head size][columns]
	score         []float32 // of one head: [rows][columns]
}

// reserve makes room for the tokens that were read.
func (sc *scratch) reserve(c *config) {
	sc.tokens = len(sc.reader.tokens)
	sc.quads = (sc.tokens + quadRows - 1) / quadRows
	rows := sc.quads * quadRows
	if rows > len(sc.scale) {
		// Some more, so that growing ends soon; up to a few kilobytes a token.
		rows = min(rows+rows/4+quadRows-1, maxPositions) &^ (quadRows - 1)
		cols := columns(rows)
		sc.x, sc.y = make([]float32, rows*c.Hidden), make([]float32, rows*c.Hidden)
		sc.wide = make([]float32, rows*max(3*c.Hidden, c.Intermediate))
		sc.a = make([]int16, rows*max(c.Hidden, c.Intermediate))
		sc.scale = make([]float32, rows)
		sc.keys = make([]float32, c.Hidden/c.Heads*cols)
		sc.score = make([]float32, rows*cols)
	}
}

// columns is how many columns of scores n tokens need: whole vectors.
func columns(n int) int { return (n + laneCount - 1) &^ (laneCount - 1) }

// forward runs the network; sc.x is the last hidden state afterwards.
func (e *Encoder) forward(sc *scratch) {
	c := &e.config
	sc.reserve(c)
	e.embed(sc)
	for i := range e.layers {
		l := &e.layers[i]
		e.apply(sc, &l.qkv, sc.wide, sc.x)
		e.attend(sc)
		e.apply(sc, &l.attended, sc.wide, sc.y)
		e.normalise(sc, &l.afterAttention, sc.wide)
		e.apply(sc, &l.up, sc.wide, sc.x)
		for r := range sc.tokens {
			gelu(e.simd, sc.wide[r*c.Intermediate:][:c.Intermediate])
		}
		e.apply(sc, &l.down, sc.y, sc.wide)
		e.normalise(sc, &l.after, sc.y)
	}
}

// embed sets x to the normalised sum of the embeddings of each token.
func (e *Encoder) embed(sc *scratch) {
	h := e.config.Hidden
	for i, t := range sc.reader.tokens {
		x, y := sc.x[i*h:][:h], sc.y[i*h:][:h]
		word, scale := e.words[int(t.id)*h:][:h], floatAt(e.wordScales, int(t.id))
		position, kind := e.positions[i*h:][:h], e.types[:h]
		if i >= sc.typeStart {
			kind = e.types[h:]
		}
		for j := range x {
			x[j] = float32(word[j]) * scale
			y[j] = position[j] + kind[j]
		}
	}
	e.normalise(sc, &e.embedded, sc.y)
}

// normalise sets x to the layer normalisation of x + rest.
func (e *Encoder) normalise(sc *scratch, n *normalisation, rest []float32) {
	h := e.config.Hidden
	for r := range sc.tokens {
		x := sc.x[r*h:][:h]
		layerNorm(e.simd, x, x, rest[r*h:][:h], n.gamma, n.beta, e.config.LayerNormEps)
	}
}

// apply sets dst to m(src). They may be the same memory: src is quantised
// first. One panel of weights at a time, which stays in the nearest cache, meets
// all rows.
func (e *Encoder) apply(sc *scratch, m *matrix, dst, src []float32) {
	for r := range sc.tokens {
		sc.scale[r] = quantise(e.simd, sc.a[r*m.in:], src[r*m.in:][:m.in])
	}
	p := linearArgs{a: sc.a, lda: m.in, ldd: m.out, rowScale: sc.scale, pairs: m.in / 2, quads: sc.quads}
	for o := 0; o < m.out; o += panelCols {
		p.dst, p.b = dst[o:], m.weights[o*m.in:][:panelCols*m.in]
		p.colScale, p.bias = m.scale[o:], m.bias[o:]
		linear(e.simd, &p)
	}
}

// noScore stands for the columns of padding: softmax makes it nothing.
const noScore = -1e30

// attend sets y to the attention of all heads over wide: query, key and value
// of each token (Vaswani et al., "Attention Is All You Need", 2017).
func (e *Encoder) attend(sc *scratch) {
	h := e.config.Hidden
	size := h / e.config.Heads
	cols := columns(sc.tokens)
	by := 1 / sqrt(float32(size))
	scores := multiplyArgs{dst: sc.score, ldd: cols, lda: 3 * h, b: sc.keys, ldb: cols, k: size, cols: cols, quads: sc.quads}
	values := multiplyArgs{ldd: h, a: sc.score, lda: cols, ldb: 3 * h, k: sc.tokens, cols: size, quads: sc.quads}
	for at := 0; at < h; at += size {
		sc.transposeKeys(at+h, size, cols, 3*h)
		scores.a = sc.wide[at:]
		multiply(e.simd, &scores)
		for r := range sc.tokens {
			row := sc.score[r*cols:][:cols]
			for i := sc.tokens; i < cols; i++ {
				row[i] = noScore
			}
			softmax(e.simd, row, by)
		}
		values.dst, values.b = sc.y[at:], sc.wide[at+2*h:]
		multiply(e.simd, &values)
	}
}

// transposeKeys writes the size values at column at of each row of wide as
// columns of keys, those of padding zero.
func (sc *scratch) transposeKeys(at, size, cols, width int) {
	for i := range sc.tokens {
		for d, v := range sc.wide[i*width+at:][:size] {
			sc.keys[d*cols+i] = v
		}
	}
	for d := range size {
		clear(sc.keys[d*cols+sc.tokens : (d+1)*cols])
	}
}
