// Package unusual finds groups of red alerts that are more than the business's
// own earlier weeks explain: "missed appointments at North: 9 this week, usually
// 2". It is pure: counts and a day in, notices out; no clock, no I/O.
//
// A group is a location with a category, a location, a category, or a source. A
// week is a local one from Monday on. Looked at are the running week, through
// today and through yesterday, and until Wednesday the week before as well.
//
// What is usual: the weighted mean of up to 12 earlier weeks, at least 6. Weeks
// that stand out themselves count less, by their Anscombe residual, and counts
// that vary more than chance (quasi-Poisson dispersion) widen what is ordinary;
// both after Farrington et al., J. R. Stat. Soc. A 159 (1996) 547–563, and
// Noufaily et al., Statistics in Medicine 32 (2013) 1206–1222. How a week spreads
// over its days is the group's own profile, drawn towards the business's.
//
// How surprising a count is: the upper tail of a negative binomial, which is the
// predictive distribution of a Poisson rate known only from those weeks
// (Gamma–Poisson with Jeffreys' prior; Gelman et al., Bayesian Data Analysis, 3rd
// ed., 2.6), its variance multiplied by the dispersion. Few weeks with few alerts
// so claim little.
//
// Many groups are looked at, so the false discovery rate is bounded by Q in each
// look (Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289–300; valid for
// the positive dependence of groups that overlap: Benjamini and Yekutieli, Annals
// of Statistics 29 (2001) 1165–1188). A test measures what comes of it on
// businesses where nothing changes.
//
// What explains a rise is taken off: more volume (events of the same source or
// location that are no alert), and the same weeks a year before where history
// reaches back that far. Neither ever makes an ordinary week look unusual.
//
// What it does not do: it says nothing of falls, of the first six weeks of a
// source or location, or of fewer than four alerts; it does not say why.
package unusual
