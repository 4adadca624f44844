// Package email takes mail in: it reads one RFC 5322 message (Parse), keeps
// what its writer newly wrote (Trim, HTMLText), tells people from machines
// (Classify), makes an ingest.Item of it (Decoder), and collects mailboxes
// over IMAP (IMAP).
//
// It does not score, does not store, and never changes anything in a mailbox:
// mailboxes are opened read-only and no flag is set.
package email

// Caps on foreign mail. Over MaxMailBytes only the headers are read, and the
// mail is quarantined without its bytes; over MaxDepth or MaxParts it is
// quarantined whole; text beyond MaxTextBytes or the event's own cap is cut
// and flagged.
const (
	MaxMailBytes   = 25 << 20  // one mail as transferred
	MaxHeaderBytes = 256 << 10 // of the header block; what is beyond is not read
	MaxTextBytes   = 10 << 20  // decoded text of all parts together
	MaxDepth       = 20        // nested multiparts
	MaxParts       = 200       // parts of all levels together
	maxEventText   = 200 << 10 // text in an event, counted as JSON
	maxSubject     = 900       // bytes; the schema of replies allows 998
	maxAttachments = 20        // names kept
	maxNameBytes   = 200       // of one name
)

// Flags that Parse and Decoder put into the metadata of an event.
const (
	FlagTruncated       = "truncated"        // text was longer than an event may hold
	FlagUnknownCharset  = "unknown_charset"  // read as Windows-1252
	FlagUnknownEncoding = "unknown_encoding" // transfer encoding unknown, kept as it stood
	FlagMalformed       = "malformed"        // broken MIME; what could be read was kept
	FlagMissingBoundary = "missing_boundary" // the mail ends within a part
	FlagHTML            = "html"             // the text was taken from HTML
	FlagEncrypted       = "encrypted"        // no readable text
	FlagHeadersOnly     = "headers_only"     // too large: the text was not read
	FlagQuoteOnly       = "quote_only"       // a reply without words of its own
)
