// Package churn looks at customers' orders over time: it folds order events
// into orders, cuts time into the periods of a chart, and counts who stopped
// ordering (DESIGN §4). It is pure: no I/O, no clock; every store uses it, so
// that all of them answer alike.
package churn
