package schemas

import (
	"fmt"
	"strconv"
	"strings"
)

// Money is an amount in minor units (cents) of an ISO 4217 currency.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// minorDigits lists the currencies whose minor unit is not 1/100 (ISO 4217).
var minorDigits = map[string]int{
	"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "VND": 0, "XAF": 0, "XOF": 0, "XPF": 0, "PYG": 0, "UGX": 0, "RWF": 0,
	"BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3, "IQD": 3, "LYD": 3,
}

// MinorDigits is the number of decimals of a currency; 2 unless ISO 4217 says
// otherwise.
func MinorDigits(currency string) int {
	if d, ok := minorDigits[currency]; ok {
		return d
	}
	return 2
}

var symbols = map[string]string{"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥"}

// String writes the amount for people: €1,240.50, −£3.00, CHF 12.00.
func (m Money) String() string {
	digits := MinorDigits(m.Currency)
	neg := m.Amount < 0
	u := uint64(m.Amount)
	if neg {
		u = -u
	}
	div := uint64(1)
	for range digits {
		div *= 10
	}
	s := group(strconv.FormatUint(u/div, 10))
	if digits > 0 {
		s += "." + fmt.Sprintf("%0*d", digits, u%div)
	}
	sym, ok := symbols[m.Currency]
	if !ok && m.Currency != "" {
		sym = m.Currency + " "
	}
	if neg {
		return "−" + sym + s
	}
	return sym + s
}

// Short writes the amount without decimals, rounded half away from zero:
// €1,241. For dense tables.
func (m Money) Short() string {
	div := int64(1)
	for range MinorDigits(m.Currency) {
		div *= 10
	}
	half := div / 2
	if m.Amount < 0 {
		half = -half
	}
	whole := Money{Amount: (m.Amount + half) / div * div, Currency: m.Currency}.String()
	if i := strings.LastIndexByte(whole, '.'); i >= 0 && div > 1 {
		return whole[:i]
	}
	return whole
}

func group(s string) string {
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
