package orders

import (
	"fmt"

	"redalert/schemas"
)

// Tips are compared as shares of the order, in hundredths of a per cent, with
// tipShift (one per cent) added: a small order has a small tip, and none at all
// must have a logarithm.
const (
	tipUnit  = 10_000
	tipShift = 100
)

// TipReduced describes a tip below the habit, in hundredths of a per cent of the
// order.
type TipReduced struct {
	Share, Usual int64
	Orders       int // how many orders the habit is made of
}

// TipBelowHabit reports whether the tip of an order of total is below what the
// customer usually gives, by the same limits as BelowHabit: far below, or clearly
// below for the second time running, and never with fewer than MinOrders earlier
// orders that state a tip. No tip at all counts from the second time running on:
// once it is cash, or forgotten. Who gave nothing now and then is never flagged:
// the lowest of their tips is none. facts are those of the customer's earlier
// orders, oldest first; an order's tip is what was stated last; cancelled and
// refunded orders are left out.
func TipBelowHabit(tip, total int64, facts []schemas.OrderFact) (t TipReduced, ok bool) {
	share, ok := tipShare(tip, total)
	if !ok {
		return t, false
	}
	r, ok := below(share+tipShift, lastTips(facts), tip > 0)
	return TipReduced{share, r.Habit.Usual - tipShift, r.Habit.Orders}, ok
}

// tipShare is a tip as a share of an order; above 100 % it counts as that.
func tipShare(tip, total int64) (int64, bool) {
	if tip < 0 || total <= 0 {
		return 0, false
	}
	if tip >= total {
		return tipUnit, true
	}
	return int64(float64(tipUnit*(float64(tip)/float64(total))) + 0.5), true
}

// lastTips are the shifted shares of the last orders with a tip, newest first.
func lastTips(facts []schemas.OrderFact) []int64 {
	type state struct {
		total int64
		tip   *int64
		gone  bool
	}
	byRef := map[string]int{}
	var all []state
	for _, f := range facts {
		ref := f.OrderRef
		if ref == "" {
			ref = "event:" + f.EventID
		}
		i, known := byRef[ref]
		switch f.Type {
		case schemas.OrderPlaced, schemas.OrderChanged, schemas.OrderFulfilled:
			if !known {
				i = len(all)
				byRef[ref] = i
				all = append(all, state{})
			}
			if f.Total > 0 {
				all[i].total = f.Total
			}
			if f.Tip != nil {
				all[i].tip = f.Tip
			}
		case schemas.OrderCancelled, schemas.OrderRefunded:
			if known {
				all[i].gone = true
			}
		}
	}
	var shares []int64
	for i := len(all) - 1; i >= 0 && len(shares) < maxSpread; i-- {
		if all[i].gone || all[i].tip == nil {
			continue
		}
		if s, ok := tipShare(*all[i].tip, all[i].total); ok {
			shares = append(shares, s+tipShift)
		}
	}
	return shares
}

// Message says it in numbers: "tipped 2 %, usually 15 % (last 9 orders)".
func (t TipReduced) Message() string {
	return fmt.Sprintf("tipped %s, usually %s (last %d orders)", perCent(t.Share), perCent(t.Usual), t.Orders)
}

// perCent writes hundredths of a per cent, to a tenth below ten: "2.5 %", "15 %".
func perCent(v int64) string {
	tenths := (v + 5) / 10
	if tenths >= 100 || tenths%10 == 0 {
		return fmt.Sprintf("%d %%", (v+50)/100)
	}
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}
