package servertest

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"
)

func TestKafka(t *testing.T) {
	b := Kafka(t, KafkaOptions{Secure: true})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b.CA) {
		t.Fatal("no authority")
	}
	for _, addr := range []string{b.TLSAddr, b.SASLAddr} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	b.Kill(t)
	if conn, err := net.DialTimeout("tcp", b.Addr, time.Second); err == nil {
		conn.Close()
		t.Fatal("a killed broker listens")
	}
	b.Start(t)
}
