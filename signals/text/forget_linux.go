package text

import (
	"os"
	"syscall"
	"unsafe"
)

// pageOut is MADV_PAGEOUT of Linux 5.4 and newer: pages leave memory and come back
// when they are read. Unlike MADV_DONTNEED it loses nothing, also where a packer
// has put the program into memory that no file stands behind.
const pageOut = 21

// forget gives the memory of whole pages of b back until they are read again.
// Reading the encoder's headers maps a good part of it, which a server that has
// nothing to read yet does not need.
func forget(b []byte) {
	page := uintptr(os.Getpagesize())
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	skip := (page - begin%page) % page
	if uintptr(len(b)) < skip+page {
		return
	}
	whole := b[skip:]
	_ = syscall.Madvise(whole[:uintptr(len(whole))/page*page], pageOut) // advice: older kernels refuse it, and nothing is lost
}
