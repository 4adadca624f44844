// Package review collects reviews from pages with schema.org JSON-LD and from
// feeds (RSS, Atom, JSON Feed).
//
// A review's id is its @id or address, else what it is of, who wrote it and
// when. A review first seen is feedback.review.posted; when its title, text or
// rating differ later it is feedback.review.changed, of the same id. Other
// changes of the page (an author's picture, a counter) are nothing.
//
// It renders no scripts and reads no microdata; pages that build their reviews
// in the browser need a feed.
package review
