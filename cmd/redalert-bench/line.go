package main

import (
	"net"
	"time"
)

// A line as a business has it.
const (
	lineDelay = 10 * time.Millisecond // each way: 20 ms there and back
	lineRate  = 100_000_000 / 8       // bytes a second each way: 100 Mbit/s
)

// line forwards connections to a port of this machine over a line of lineDelay
// and lineRate, and answers the port to connect to instead.
func line(target string) (port int, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			go carry(near, far)
			go carry(far, near)
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port, func() { ln.Close() }, nil
}

type packet struct {
	due  time.Time
	data []byte
}

// packets of at most packetSize may be under way on a line: 512 KiB, twice what
// it holds at full rate.
const (
	packetSize = 8 << 10
	packets    = 64
)

// carry takes bytes from one end to the other: each packet leaves when those
// before it have left, and arrives lineDelay later. It closes both when either
// ends.
func carry(from, to net.Conn) {
	queue := make(chan packet, packets)
	go func() {
		defer to.Close()
		for p := range queue {
			time.Sleep(time.Until(p.due)) // the line takes so long
			if _, err := to.Write(p.data); err != nil {
				from.Close()
			}
		}
	}()
	defer close(queue)
	free := time.Now()
	for {
		buf := make([]byte, packetSize)
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if now := time.Now(); free.Before(now) {
			free = now
		}
		free = free.Add(time.Duration(float64(n) / lineRate * float64(time.Second)))
		queue <- packet{free.Add(lineDelay), buf[:n]}
	}
}
