package importer

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// NewBar is a progress bar on w, a terminal, with rate and time left. Give
// Options no Progress when the output is no terminal.
func NewBar(w io.Writer) Progress { return &bar{w: w} }

type bar struct {
	w    io.Writer
	name string
	bar  *progressbar.ProgressBar
}

func (b *bar) Step(file string, done, total, rows int64) {
	if b.bar == nil || b.name != file {
		b.finish()
		b.name = file
		b.bar = progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(b.w), progressbar.OptionShowBytes(true),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
	}
	b.bar.Describe(fmt.Sprintf("%s, %d rows", file, rows))
	_ = b.bar.Set64(min(done, max(total, 1))) // a bar that cannot be drawn is no reason to stop
}

func (b *bar) finish() {
	if b.bar != nil {
		_ = b.bar.Finish()
		fmt.Fprintln(b.w)
		b.bar = nil
	}
}

// Done ends the bar.
func (b *bar) Done() { b.finish() }
