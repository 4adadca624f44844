package web

import (
	"strings"

	"redalert/schemas"
)

// dictionary is how closed lists read on a page. What is missing reads as its
// own name without underscores.
var dictionary = map[string]string{
	string(schemas.StateNew): "New", string(schemas.StateAcknowledged): "Taken", string(schemas.StateInRecovery): "In recovery",
	string(schemas.StateWaitingCustomer): "Waiting for the customer", string(schemas.StateRecovered): "Won back",
	string(schemas.StateLost): "Lost", string(schemas.StateDismissed): "Dismissed",

	string(schemas.KindMistake): "Our mistake", string(schemas.KindRisk): "At risk of leaving",
	string(schemas.PriorityUrgent): "Urgent", string(schemas.PriorityHigh): "High", string(schemas.PriorityMedium): "Medium",
	string(schemas.PriorityLow): "Low", string(schemas.SeverityCritical): "Critical",

	string(schemas.SourceSurvey): "survey", string(schemas.SourceEmail): "email", string(schemas.SourceReview): "review",
	string(schemas.SourceOrder): "order", string(schemas.SourceInternal): "from staff",

	string(schemas.StepOwnUp): "Own up in person", string(schemas.StepApologise): "Apologise", string(schemas.StepContain): "Stop the damage",
	string(schemas.StepFix): "Fix it", string(schemas.StepMakeGood): "Make it good", string(schemas.StepWrittenProof): "Put it in writing",
	string(schemas.StepRootCause): "Find the root cause", string(schemas.StepTellChange): "Tell them what changed",
	string(schemas.StepContact): "Get in touch", string(schemas.StepListen): "Listen", string(schemas.StepResolve): "Put it right",

	string(schemas.OrderStatePlaced): "Placed", string(schemas.OrderStateChanged): "Changed", string(schemas.OrderStateCancelled): "Cancelled",
	string(schemas.OrderStateRefunded): "Refunded", string(schemas.OrderStateFulfilled): "Done",

	string(schemas.TimerFirstResponse): "first answer", string(schemas.TimerNextResponse): "next answer", string(schemas.TimerResolution): "solution",
	"no_answer": "no answer", "voicemail": "voicemail", "reached": "reached",
	"imap": "mailbox", "events": "posted events",
}

// stepHelp is what a step asks for, in one sentence.
var stepHelp = map[schemas.Step]string{
	schemas.StepOwnUp:        "Call or meet them and say plainly what went wrong, before anything else.",
	schemas.StepApologise:    "Say sorry for what happened, without a but.",
	schemas.StepContain:      "Make sure it does not get worse for them today.",
	schemas.StepFix:          "Do the work again, or put right what was wrong.",
	schemas.StepMakeGood:     "Give something that costs us more than it cost them.",
	schemas.StepWrittenProof: "Write down for them what happened, what is fixed now and what prevents it. A phone call alone does not count.",
	schemas.StepRootCause:    "Name why it could happen at all.",
	schemas.StepTellChange:   "Tell them what works differently since.",
	schemas.StepContact:      "Reach them by phone, mail or in person.",
	schemas.StepListen:       "Let them tell all of it, and write down what matters to them.",
	schemas.StepResolve:      "Agree on what makes it right, and do it.",
}

var sourceIcons = map[schemas.SourceType]string{
	schemas.SourceSurvey: "clipboard-list", schemas.SourceEmail: "mail", schemas.SourceReview: "star",
	schemas.SourceOrder: "package", schemas.SourceInternal: "wrench",
}

// words reads a value of a closed list as people say it.
func words(v any) string {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case schemas.CaseState:
		s = string(v)
	case schemas.CaseKind:
		s = string(v)
	case schemas.Step:
		s = string(v)
	case schemas.Priority:
		s = string(v)
	case schemas.Severity:
		s = string(v)
	case schemas.SourceType:
		s = string(v)
	case schemas.Category:
		s = string(v)
	case schemas.OrderState:
		s = string(v)
	case schemas.Timer:
		s = string(v)
	case schemas.Role:
		s = string(v)
	}
	if w, ok := dictionary[s]; ok {
		return w
	}
	return strings.ReplaceAll(s, "_", " ")
}
