package convoke

import (
	"embed"
	"encoding/json"
)

// Event is something that happens and that functions can listen to. The
// catalogue is data (spec/events.md 2): any other id is allowed too, as an
// event of the account's own, without skills and without a limit.
type Event struct {
	ID          string
	Name        string
	Description string
	Source      string // who raises it
	// Limit is how many functions of an account may be deployed for the
	// event, per skill where the event has skills; 0 is no limit.
	Limit  int
	Skills bool
	sample string
}

//go:embed sample/*.json
var samples embed.FS

// Events is the catalogue, in the order it is shown.
var Events = []Event{
	messaging("controllerbot_messaging_new_conversation", "Messaging New Conversation", "A consumer opened a conversation."),
	messaging("controllerbot_messaging_conversation_end", "Messaging Conversation End", "A conversation was closed by the agent, the consumer or the system."),
	messaging("controllerbot_messaging_conversation_idle", "Messaging Conversation Idle", "Agent or consumer were silent, or the conversation waited in the queue, for longer than configured."),
	messaging("controllerbot_messaging_conversation_routing", "Messaging Conversation Routing", "A conversation moved to another skill."),
	messaging("controllerbot_messaging_mid_conversation_msg", "Messaging Line in Off-Hours", "A consumer wrote in off-hours into a conversation opened in working hours."),
	messaging("controllerbot_messaging_participants_change", "Messaging Participants Change", "An agent or manager joined or left."),
	messaging("controllerbot_messaging_ttr", "Messaging TTR", "The time to respond changed."),
	messaging("controllerbot_messaging_consumer_step_up", "Messaging Consumer Step Up", "An anonymous consumer authenticated during the conversation."),
	{ID: "surveybot_messaging_survey_started", Name: "Messaging Survey Started", Source: "Survey Bot", Limit: 1, Skills: true, sample: "survey",
		Description: "The survey bot sent its first question."},
	{ID: "surveybot_messaging_survey_ended", Name: "Messaging Survey Ended", Source: "Survey Bot", Limit: 1, Skills: true, sample: "survey",
		Description: "A post-conversation survey ended."},
	{ID: "conversational_command", Name: "Conversational Command", Source: "Agent Workspace", Limit: 30, sample: "command",
		Description: "An agent typed a command."},
	{ID: "bot_connectors_custom_integration", Name: "Third-Party Bots Custom Integration", Source: "Bot Connector", Limit: 15, sample: "bot",
		Description: "The function is the bot: a consumer wrote, or a conversation reached it."},
	{ID: "bot_connectors_pre_hook", Name: "Third-Party Bots Pre-Hook", Source: "Bot Connector", Limit: 15, sample: "bot",
		Description: "A consumer's message is about to go to the bot's vendor."},
	{ID: "bot_connectors_post_hook", Name: "Third-Party Bots Post-Hook", Source: "Bot Connector", Limit: 15, sample: "hook",
		Description: "The bot's vendor answered."},
	{ID: "bot_connectors_error_hook", Name: "Third-Party Bots Error-Hook", Source: "Bot Connector", Limit: 15, sample: "hook",
		Description: "The bot hit an error."},
	{ID: "denver_post_survey_email_transcript", Name: "Chat Post Survey E-Mail Transcript", Source: "Chat service", Limit: 10, sample: "chat",
		Description: "A chat ended and its satisfaction survey was submitted."},
}

func messaging(id, name, description string) Event {
	return Event{ID: id, Name: name, Description: description, Source: "Controller Bot", Limit: 1, Skills: true, sample: "messaging"}
}

// EventByID returns the event of the catalogue, or for an id that is not in
// it an event of the account's own.
func EventByID(id string) Event {
	for _, e := range Events {
		if e.ID == id {
			return e
		}
	}
	return Event{ID: id, Name: id}
}

// SamplePayload is an invocation body with a payload of the event's shape.
func (e Event) SamplePayload() json.RawMessage {
	b, err := samples.ReadFile("sample/" + e.sample + ".json")
	if err != nil {
		return json.RawMessage(`{"headers":[],"payload":{}}`)
	}
	return b
}

// ValidateEventID checks an event id: "" or at most 60 characters of
// A-Z a-z 0-9 _ . -, returning CodeValidation.
func ValidateEventID(id string) error {
	if len(id) > 60 {
		return Errorf(CodeValidation, "the event id has %d characters; at most 60 are allowed", len(id))
	}
	for _, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.' {
			return Errorf(CodeValidation, "the event id %q may hold letters, digits, _, . and - only", id)
		}
	}
	return nil
}

// SkillsOverlap reports whether two functions of one event could both be
// asked for the same conversation: a function without skills takes all.
func SkillsOverlap(a, b *Function) bool {
	if len(a.Skills) == 0 || len(b.Skills) == 0 {
		return true
	}
	for _, s := range a.Skills {
		if b.HandlesSkill(s) {
			return true
		}
	}
	return false
}
