// Package file reads foreign files with limits: it opens them (plain or gzip),
// brings their text to UTF-8, and cuts them into rows (CSV, tables set with
// blanks, JSON lines) or mails (mbox), each with the line it stands on. It also
// holds what mapping rows onto events needs: mapping files, times, decimals and
// ids for rows that have none.
//
// It knows no kind of source: orders, surveys, reviews and customers are mapped
// by their own packages. Memory is bounded whatever the file holds.
package file
