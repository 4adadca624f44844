// Package encoder runs a small BERT sentence encoder (of the kind of
// MiniLM-L12-H384) on the CPU, in pure Go: it answers a few numbers about a
// text, and one about each of its words. What the numbers mean is up to who
// trained them; they are not calibrated here.
//
// The result depends on the file and the two texts only, to the last bit, on
// every architecture. Linear layers multiply 8 bit weights with 13 bit
// activations, quantised anew for every row, exactly in integers; what is left
// in floating point is done in a fixed order without fused multiplications. On
// amd64 with AVX2 vector kernels do the same operations faster; the build tag
// purego leaves them out.
//
// The network is BERT (Devlin et al., 2019): embeddings of words, positions and
// the two types of token, then layers of attention and a feed-forward network
// with GELU, each followed by a layer normalisation of the sum with its input.
// The last hidden state is averaged over all tokens, [CLS] and [SEP] too, as
// sentence-transformers does, but not scaled to length one.
//
// # File
//
// All numbers are little-endian. A file is
//
//	magic       "redalert-encoder\x01"; the last byte is the format
//	uint32      length of the configuration, then it: a JSON object, see below
//	uint32      length of the vocabulary, then it: its words, each ended by a
//	            newline; the number of a line, from zero, is the word's id
//	tensors     in the order below, each at a multiple of 64 bytes from the
//	            start of the file, zeros before it; nothing after the last
//
// The configuration has "version", "layers", "hidden", "heads", "intermediate",
// "positions" (the most tokens of one input), "question_tokens" (the most of
// them for the question), "layer_norm_eps" and "outputs" (the names of the
// sentence outputs); other members are ignored. With H hidden, I intermediate,
// P positions, V words and N outputs the tensors are
//
//	word embeddings        int8 [V][H], then their scales float32 [V]
//	position embeddings    float32 [P][H]
//	type embeddings        float32 [2][H]
//	normalisation          float32 gamma [H], beta [H]
//	and for each layer
//	  query, key, value    linear H → 3H
//	  attention output     linear H → H, normalisation
//	  intermediate         linear H → I
//	  output               linear I → H, normalisation
//	and last the heads
//	  sentence             float32 weight [N][H], bias [N]
//	  word                 float32 weight [H], bias [1]
//
// A linear layer from K to M is int8 weights [M/16][K/2][16][2], float32 scales
// [M] and float32 biases [M]: sixteen outputs make a panel, in which the weights
// of each pair of inputs stand together. A weight is its int8 times the scale of
// its output.
package encoder
