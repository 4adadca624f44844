package ingest

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"redalert/schemas"
)

// maxAmount is the largest whole number that every JSON reader holds exactly.
const maxAmount = 1<<53 - 1

// exchange converts minor units of foreign currencies to those of the
// business, by exact decimal rates. It is immutable.
type exchange struct {
	home    string
	factors map[string]*big.Rat // minor units of home per minor unit of the key
	bad     map[string]string   // configured rates that are no positive decimal
}

func newExchange(b schemas.Business) exchange {
	x := exchange{home: b.Currency, factors: map[string]*big.Rat{}, bad: map[string]string{}}
	for cur, rate := range b.Rates {
		r, ok := new(big.Rat).SetString(rate)
		if !ok || r.Sign() <= 0 || strings.ContainsAny(rate, "/eE") {
			x.bad[cur] = rate
			continue
		}
		r.Mul(r, new(big.Rat).SetInt(pow10(schemas.MinorDigits(b.Currency))))
		x.factors[cur] = r.Quo(r, new(big.Rat).SetInt(pow10(schemas.MinorDigits(cur))))
	}
	return x
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// convert answers the amount in the business's minor units, rounded half away
// from zero.
func (x exchange) convert(amount int64, currency string) (int64, *Broken) {
	if currency == x.home {
		return amount, nil
	}
	f, ok := x.factors[currency]
	if !ok {
		if rate, bad := x.bad[currency]; bad {
			return 0, &Broken{schemas.QCurrency, fmt.Sprintf("no rate for %s: business.rates.%s is %q, which is not a positive decimal such as 0.92", currency, currency, rate)}
		}
		return 0, &Broken{schemas.QCurrency, fmt.Sprintf("no rate for %s: set business.rates.%s to the worth of 1 %s in %s, then replay", currency, currency, currency, x.home)}
	}
	r := new(big.Rat).Mul(new(big.Rat).SetInt64(amount), f)
	n := roundHalfAway(r)
	if !n.IsInt64() || n.Int64() > maxAmount || n.Int64() < -maxAmount {
		return 0, &Broken{schemas.QInvalid, fmt.Sprintf("an amount of %d minor units of %s is too large in %s", amount, currency, x.home)}
	}
	return n.Int64(), nil
}

func roundHalfAway(r *big.Rat) *big.Int {
	two := big.NewInt(2)
	num := new(big.Int).Abs(r.Num())
	n := num.Mul(num, two)
	n.Add(n, r.Denom())
	n.Quo(n, new(big.Int).Mul(r.Denom(), two))
	if r.Sign() < 0 {
		n.Neg(n)
	}
	return n
}

// money rewrites a {amount, currency} object in place. changed tells that it
// was foreign.
func (x exchange) money(n *node) (changed bool, b *Broken) {
	if n == nil || n.kind != objectNode {
		return false, nil
	}
	sent, currency := n.get("amount").text, n.get("currency").text
	if currency == x.home && plainInteger(sent) && len(n.kids) == 2 {
		return false, nil
	}
	amount := wholeOf(sent)
	home, b := x.convert(amount, currency)
	if b != nil {
		return false, b
	}
	*n = moneyNode(home, x.home)
	return currency != x.home, nil
}

func moneyNode(amount int64, currency string) node {
	return node{kind: objectNode, kids: []member{
		{"amount", node{kind: numberNode, text: strconv.FormatInt(amount, 10)}},
		{"currency", node{kind: stringNode, text: currency}},
	}}
}

// wholeOf reads a literal that the schema has found whole and within
// ±maxAmount.
func wholeOf(text string) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, _ := strconv.ParseFloat(text, 64)
	return int64(f)
}
