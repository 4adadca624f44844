package eval

import "strconv"

// appendFloat writes a figure with four decimals: more would be noise.
func appendFloat(b []byte, v float64) []byte { return strconv.AppendFloat(b, v, 'f', 4, 64) }
