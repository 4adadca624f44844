package move

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// NewBar is a progress bar on w, a terminal: one for each shelf, with rows a
// second and the time left.
func NewBar(w io.Writer) Progress { return &bar{w: w} }

type bar struct {
	w    io.Writer
	name string
	bar  *progressbar.ProgressBar
}

func (b *bar) Step(shelf string, done, total int64) {
	total = max(total, 1)
	if b.bar == nil || b.name != shelf {
		b.Done()
		b.name = shelf
		b.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(b.w), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("rows"), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
		b.bar.Describe(shelf)
	}
	_ = b.bar.Set64(min(done, total)) // a bar that cannot be drawn is no reason to stop
}

// Done ends the bar.
func (b *bar) Done() {
	if b.bar != nil {
		_ = b.bar.Finish()
		fmt.Fprintln(b.w)
		b.bar = nil
	}
}
