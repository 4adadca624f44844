package demo

// What people write. {s} is the service, {l} the location, {d} a weekday, {o}
// an order number. Written for the demo; no real message is quoted.

var happySurvey = []string{
	"Always on time and friendly. The {s} was spot on.",
	"Good work, tidy, no fuss.",
	"Very happy, same team every time please.",
	"Came when they said they would, which is rarer than it should be.",
	"Lovely job. Even moved the bins back.",
	"Nothing to complain about. Booked the next one already.",
	"They broke a flowerpot and had replaced it before I even noticed. That is how you do it.",
	"Quick, polite, fair price.",
}

var middlingSurvey = []string{
	"Fine. A little rushed this time.",
	"Okay overall, the booking page could be easier.",
	"Good work but I had to call twice to find out when they were coming.",
	"All right. Last month was better.",
}

var unhappySurvey = []string{
	"The {s} was half done and I had to finish it myself.",
	"Nobody rang back although I left two messages.",
	"They were two hours late and in a hurry to get away.",
	"I paid the full price for half the work.",
	"The person who came was rude to my mother.",
	"Different team every time, and every time I explain everything from the start.",
	"Left muddy footprints through the hall and said it was like that before.",
}

var noShow = []string{
	"I took {d} morning off work for the {s} and nobody came. No call, nothing.",
	"Your team did not turn up on {d}. I waited from eight until one. When I rang, I was told someone would call me back. Nobody has.",
	"Second missed appointment this week. What is going on at {l}?",
	"No one showed up for the {s}, no message, no apology. I am seriously thinking of going with someone else.",
	"We waited in all day {d}. It is not only the appointment, it is that nobody bothered to tell us.",
	"Nobody came. I had moved a hospital visit for this.",
}

var priceRise = []string{
	"Just saw the new prices. Eighteen per cent more for the same {s}? I will be looking elsewhere.",
	"I have been with you for years and learn about the increase from the invoice. That is not how you treat people.",
	"The {s} costs more than my electricity now. Please cancel the next visits until I have thought about it.",
	"Why has my bill gone up? Nobody told me and the work is the same.",
	"Too expensive now. My neighbour pays a third less with another firm.",
}

var leakingValve = []string{
	"The valve your man fitted on {d} is leaking. The kitchen floor is wet and the skirting board is swelling. Please come today.",
	"Water under the sink again, two weeks after the {s}. I have photos of the damaged cupboard.",
	"New valve, new leak. The ceiling below has a stain the size of a plate. Who pays for that?",
	"It drips. I put a bucket under it and I have emptied it nine times since {d}.",
	"The part you fitted broke after ten days. I want my money back for {o}.",
}

var complaintMail = []string{
	"Hello,\n\nthis is the third time I am writing about order {o} and nobody has answered. I would like to know when somebody is going to come and put it right.\n\nRegards",
	"Hi,\n\nI have been charged twice for the {s} in {o}. Please refund one of the payments.\n\nThanks",
	"Dear team,\n\nthe {s} on {d} was not what we agreed. Two rooms were left out and the bathroom was worse than before. I do not want to make a fuss but I will not book again like this.\n\nKind regards",
	"Good morning,\n\nwe have gone with another company for the {s} from next month. Please take us off the schedule.\n\nRegards",
	"Hello, could you tell me who to speak to about a complaint? I have now been passed on four times.",
	"I was promised a call back on {d}. It is a small thing, but it is always the same with {l}.",
}

var neutralMail = []string{
	"Hello,\n\ncould we move the {s} on {d} to the afternoon? The key is with the neighbour as usual.\n\nThanks",
	"Hi,\n\nplease send me the invoice for {o} again, I cannot find it.\n\nBest",
	"Do you also do {s} for offices? A friend is asking.",
	"Thank you for sorting out the invoice so quickly. All settled now.",
	"Just to say the new gate code is on the note by the bell. See you {d}.",
	"Refund received, thank you. No hard feelings, see you next month.",
	"I am cancelling my plans to be away, so {d} is fine after all.",
}

var badReview = []string{
	"Stay away. Booked a {s}, waited two days, got excuses. I would not let them near my house again.",
	"Used to be good. Now you get whoever is free, when they are free. One star is generous.",
	"They damaged the worktop and disappeared. Telling everyone I know.",
}

var goodReview = []string{
	"Reliable, friendly, fair. We have used them for three years and never had to check.",
	"Great {s}. The garden has not looked like this since we moved in.",
	"Had a problem once, they rang before I did and put it right the same day. Would recommend to anyone.",
	"Solid work and honest about what was not needed.",
}

// anonymousReview is planted yesterday: no name, no order number.
const anonymousReview = "Booked the fortnightly clean in Harbour. Three visits, three different people, and last week they let the cat out and left the back door open. When I rang, the answer was that it was not in the notes. I am not giving my name because I still need my key back."

// live is what arrives while the demo runs, in this order; then it goes on at
// random.
type liveMessage struct {
	kind   string // mail, survey, review, cancel, reduce, mistake
	text   string
	rating float64
}

var live = []liveMessage{
	{"mail", "Third time I am writing. The boiler engineer was due on {d}, nobody came and nobody has called me back. If I do not hear from you today I will go with someone else.", 0},
	{"survey", "The team left after twenty minutes and the kitchen was not touched. Not what I pay for.", 2},
	{"cancel", "found another provider", 0},
	{"mail", "Hello, could I get the {s} a day earlier next week? Thursday would suit me better. Thanks", 0},
	{"mail", "My daughter slipped on the water from your leaking valve and hurt her wrist. I have spoken to a solicitor. Please call me before you send anyone.", 0},
	{"survey", "Perfect as always.", 10},
	{"reduce", "", 0},
	{"review", "Never again. Two appointments missed, and then a bill for both.", 1},
	{"mail", "The lamp in the hall was broken when I came home after your team had been. I am not angry, accidents happen, but I would have liked a note.", 0},
	{"mistake", "Went to the wrong address and arrived an hour and a half late; the customer was polite about it but had to leave for work.", 0},
	{"survey", "I asked three times for the same cleaner. Nobody listens.", 4},
	{"mail", "Thank you for coming back so quickly and fixing the tap. That was more than I expected.", 0},
	{"cancel", "moving away", 0},
	{"mail", "You have charged my card twice for {o}. I want one of the payments back, please.", 0},
	{"review", "Friendly people, good work, would book again.", 5},
	{"reduce", "", 0},
}
