package build

import (
	"slices"
	"strings"
	"unicode/utf8"
)

type kind byte

const (
	punct   kind = iota // one character, or "=>" or "..."
	word                // a name or a keyword
	literal             // a string; text is what is between the quotes, escapes and all
	other               // a number, a regular expression, a piece of a template
)

// token is a token of JavaScript; depth counts the brackets around it, and an
// opening and a closing bracket have the depth outside.
type token struct {
	kind  kind
	text  string
	depth int
}

// scan cuts JavaScript without comments into tokens. It is right about code
// that esbuild printed, up to one guess: a slash after `}` starts a regular
// expression. It never fails; wrong code gives wrong tokens.
func scan(src string) []token {
	s := scanner{src: src}
	for s.next() {
	}
	return s.tokens
}

type scanner struct {
	src    string
	tokens []token
	// open are the open brackets. A "`" stands for `${`: what closes it
	// returns to the template. A "k" is the parenthesis of if, for, while and
	// with, after which a statement and so a regular expression may start.
	open []byte
	// statement says that the last token closed such a parenthesis.
	statement bool
}

func (s *scanner) next() bool {
	s.src = strings.TrimLeft(s.src, " \t\r\n\v\f\u00A0\uFEFF\u2028\u2029")
	if s.src == "" {
		return false
	}
	switch c := s.src[0]; {
	case isWord(s.src):
		s.word()
	case c >= '0' && c <= '9', c == '.' && len(s.src) > 1 && s.src[1] >= '0' && s.src[1] <= '9':
		s.number()
	case c == '"' || c == '\'':
		n := quoted(s.src, c)
		s.emit(literal, n, strings.Trim(s.src[:n], string(c)))
	case c == '`':
		s.template()
	case c == '/' && s.operandExpected():
		s.emit(other, regexpLength(s.src), "")
	case c == '(' || c == '[' || c == '{':
		s.bracket(c)
	case c == ')' || c == ']' || c == '}':
		s.close(c)
	case strings.HasPrefix(s.src, "=>"), strings.HasPrefix(s.src, "=="):
		s.emit(punct, 2, s.src[:2])
	case strings.HasPrefix(s.src, "..."):
		s.emit(punct, 3, "...")
	default:
		_, n := utf8.DecodeRuneInString(s.src)
		s.emit(punct, n, s.src[:n])
	}
	return true
}

func (s *scanner) emit(k kind, n int, text string) {
	s.tokens = append(s.tokens, token{k, text, len(s.open)})
	s.src = s.src[n:]
	s.statement = false
}

func (s *scanner) word() {
	n := 0
	for n < len(s.src) && (isWord(s.src[n:]) || s.src[n] >= '0' && s.src[n] <= '9') {
		_, size := utf8.DecodeRuneInString(s.src[n:])
		n += size
	}
	s.emit(word, n, s.src[:n])
}

// isWord reports whether a name can start here. Letters beyond ASCII are not
// told apart: esbuild prints none of them outside names and texts.
func isWord(s string) bool {
	c := s[0]
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c == '#' || c == '\\' || c >= utf8.RuneSelf
}

func (s *scanner) number() {
	n := 1
	for n < len(s.src) && (s.src[n] == '.' || s.src[n] < utf8.RuneSelf && isWord(s.src[n:]) || s.src[n] >= '0' && s.src[n] <= '9') {
		n++
	}
	s.emit(other, n, "")
}

func quoted(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case quote:
			return i + 1
		}
	}
	return len(s)
}

// template reads a piece of a template: from the backtick, or from the brace
// that closed a substitution, to the next substitution or the end.
func (s *scanner) template() {
	for i := 1; i < len(s.src); i++ {
		switch {
		case s.src[i] == '\\':
			i++
		case s.src[i] == '`':
			s.emit(other, i+1, "")
			return
		case strings.HasPrefix(s.src[i:], "${"):
			s.emit(other, i+2, "")
			s.tokens[len(s.tokens)-1].kind = punct // an operand comes next
			s.open = append(s.open, '`')
			return
		}
	}
	s.emit(other, len(s.src), "")
}

func (s *scanner) bracket(c byte) {
	mark := c
	if c == '(' && len(s.tokens) > 0 && slices.Contains(statementHeads, s.tokens[len(s.tokens)-1].text) {
		mark = 'k'
	}
	s.emit(punct, 1, string(c))
	s.open = append(s.open, mark)
}

func (s *scanner) close(c byte) {
	var mark byte
	if n := len(s.open); n > 0 {
		mark, s.open = s.open[n-1], s.open[:n-1]
	}
	if mark == '`' {
		s.template()
		return
	}
	s.emit(punct, 1, string(c))
	s.statement = mark == 'k'
}

var statementHeads = []string{"if", "for", "while", "with", "await"} // for await (…)

// operandExpected reports whether a slash here starts a regular expression.
func (s *scanner) operandExpected() bool {
	if len(s.tokens) == 0 || s.statement {
		return true
	}
	last := s.tokens[len(s.tokens)-1]
	switch last.kind {
	case word:
		return slices.Contains(operatorWords, last.text)
	case punct:
		// After ++ and -- it is a division: `a++/b`.
		twice := len(s.tokens) > 1 && s.tokens[len(s.tokens)-2] == last && (last.text == "+" || last.text == "-")
		return last.text != ")" && last.text != "]" && !twice
	}
	return false
}

var operatorWords = []string{"return", "typeof", "instanceof", "in", "of", "new", "delete", "void", "throw", "case", "do", "else", "await", "yield"}

func regexpLength(s string) int {
	class := false
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '[':
			class = true
		case ']':
			class = false
		case '\n':
			return i
		case '/':
			if !class {
				return i + 1 // the flags become a word, which does no harm
			}
		}
	}
	return len(s)
}
