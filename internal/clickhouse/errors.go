package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

// Codes of the server that say something about the rows sent. Trying them again
// changes nothing, and other rows of the batch may be fine.
var rowCodes = []int32{
	6,   // CANNOT_PARSE_TEXT
	26,  // CANNOT_PARSE_QUOTED_STRING
	27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
	38,  // CANNOT_PARSE_DATE
	41,  // CANNOT_PARSE_DATETIME
	53,  // TYPE_MISMATCH
	69,  // ARGUMENT_OUT_OF_BOUND
	70,  // CANNOT_CONVERT_TYPE
	117, // INCORRECT_DATA
	131, // TOO_LARGE_STRING_SIZE
	321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
	349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
	407, // DECIMAL_OVERFLOW
	469, // VIOLATED_CONSTRAINT
}

// Codes of the server that a person must see to: the schema or the rights are
// not as they should be. Trying again helps only after that, and no event is to
// blame.
var setupCodes = slices.Concat(accountCodes, rightCodes, []int32{
	16, // NO_SUCH_COLUMN_IN_TABLE
	47, // UNKNOWN_IDENTIFIER
	60, // UNKNOWN_TABLE
	unknownDatabase,
	115, // UNKNOWN_SETTING
	452, // SETTING_CONSTRAINT_VIOLATION
})

const unknownDatabase = 81 // UNKNOWN_DATABASE

// rightCodes: the user may not do that.
var rightCodes = []int32{
	164, // READONLY
	497, // ACCESS_DENIED
}

// accountCodes: who we say we are is not believed.
var accountCodes = []int32{
	192, // UNKNOWN_USER
	193, // WRONG_PASSWORD
	194, // REQUIRED_PASSWORD
	516, // AUTHENTICATION_FAILED
}

// aboutRows reports whether the server refused what the rows hold.
func aboutRows(err error) bool {
	var x *driver.Exception
	return errors.As(err, &x) && slices.Contains(rowCodes, x.Code)
}

// unavailable says what failed. It wraps ingest.ErrUnavailable unless a person
// must see to it first: too many parts (252), a table that is read-only (242),
// memory, time-outs, a server that is down or an answer that got lost all may
// pass. Whether an insert that failed took effect is not known.
func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	var x *driver.Exception
	var rejected *signals.RejectedError
	switch {
	case errors.Is(err, context.Canceled), errors.As(err, &rejected), errors.Is(err, ErrNewer), errors.Is(err, schemas.ErrBadCursor), errors.Is(err, ingest.ErrUnavailable),
		errors.As(err, &x) && (slices.Contains(rowCodes, x.Code) || slices.Contains(setupCodes, x.Code)):
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, ingest.ErrUnavailable, err)
}
