package dovecot

import "testing"

func TestStartAndRestart(t *testing.T) {
	s := Start(t)
	s.Deliver("INBOX", []byte("Subject: x\n\nhello\n"))
	s.Stop()
	if err := s.greeting(); err == nil {
		t.Fatal("a stopped server greets")
	}
	s.Run()
	if err := s.greeting(); err != nil {
		t.Fatal(err)
	}
}
