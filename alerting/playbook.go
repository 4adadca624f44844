package alerting

import (
	"slices"
	"strings"
	"unicode"

	"redalert/schemas"
)

var playbooks = map[schemas.CaseKind][]schemas.Step{
	schemas.KindMistake: {schemas.StepOwnUp, schemas.StepApologise, schemas.StepContain, schemas.StepFix,
		schemas.StepMakeGood, schemas.StepWrittenProof, schemas.StepRootCause, schemas.StepTellChange},
	schemas.KindRisk: {schemas.StepContact, schemas.StepListen, schemas.StepResolve, schemas.StepWrittenProof},
}

// Steps lists the steps of a kind in playbook order.
func Steps(kind schemas.CaseKind) []schemas.Step { return slices.Clone(playbooks[kind]) }

// newPlaybook is the playbook of a kind with every step open.
func newPlaybook(kind schemas.CaseKind) []schemas.PlaybookStep {
	out := make([]schemas.PlaybookStep, 0, len(playbooks[kind]))
	for _, s := range playbooks[kind] {
		out = append(out, schemas.PlaybookStep{Step: s, State: schemas.StepOpen})
	}
	return out
}

// switchPlaybook is the playbook of another kind that keeps what has been done:
// steps of the old kind alone that are done stand first, its open ones go.
func switchPlaybook(old []schemas.PlaybookStep, kind schemas.CaseKind) []schemas.PlaybookStep {
	steps := newPlaybook(kind)
	var kept []schemas.PlaybookStep
	for _, s := range old {
		if s.State == schemas.StepOpen {
			continue
		}
		if i := stepIndex(steps, s.Step); i >= 0 {
			steps[i] = s
		} else {
			kept = append(kept, s)
		}
	}
	return append(kept, steps...)
}

func stepIndex(steps []schemas.PlaybookStep, s schemas.Step) int {
	return slices.IndexFunc(steps, func(p schemas.PlaybookStep) bool { return p.Step == s })
}

// Missing lists the steps of the case's kind that are neither done nor
// overridden, in playbook order: what stands between it and recovered. A step
// the stored playbook lacks counts as missing.
func Missing(c schemas.Case) []schemas.Step {
	var out []schemas.Step
	for _, s := range playbooks[c.Kind] {
		i := stepIndex(c.Playbook, s)
		if i < 0 || c.Playbook[i].State == schemas.StepOpen {
			out = append(out, s)
		}
	}
	return out
}

// phoneWords and fillerWords together make up evidence that tells of a phone
// call and nothing else: "Called her, left a voicemail".
var (
	phoneWords = wordSet("call called calling phone phoned phoning rang ring rung telephone telephoned spoke spoken talked " +
		"talk voicemail mailbox dialled dialed reached")
	fillerWords = wordSet("a an the i we he she they him her them it us and or but on by via over to with at in of for was " +
		"were is has have had been did didnt not no answer answered answering left message again twice once today yesterday " +
		"morning afternoon evening now just customer client back up ok okay done already this that my our his their made " +
		"times time minutes min")
)

func wordSet(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// phoneAlone reports whether the evidence tells of nothing but a phone call,
// which is no written proof (G8).
func phoneAlone(evidence string) bool {
	words := strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(evidence, "'", "")), func(r rune) bool { return !unicode.IsLetter(r) })
	phone := false
	for _, w := range words {
		switch {
		case phoneWords[w]:
			phone = true
		case !fillerWords[w]:
			return false
		}
	}
	return phone
}
