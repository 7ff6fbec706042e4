package build

import (
	"slices"

	"convoke"
)

// contractOf tells for which generation a function is written, from its code
// in plain JavaScript. module says that it has import, export, import.meta or
// a top-level await.
//
//  1. An ES module is V2: V1 knows CommonJS only.
//  2. A lambda that declares two parameters or more is V1: the second is its
//     callback, and V2 passes none.
//  3. A lambda that declares fewer is V2, with or without a return: without a
//     callback it could never answer under V1. Except that one that takes its
//     arguments as a list (rest parameter, `arguments`) in code that speaks of
//     a `callback` is V1.
//  4. Where the declaration cannot be found (it comes from another file, or
//     out of a wrapper), the code is V1 when it speaks of a `callback` or
//     imports the V1 toolbelt, else V2.
//
// A wrong guess costs one setting: Source.Contract overrides it.
func contractOf(module bool, plain string) convoke.Contract {
	if module {
		return convoke.ContractV2
	}
	s := program(scan(plain))
	speaksOfCallback := s.mentions("callback")
	fn, found := s.lambda()
	switch {
	case !found && (speaksOfCallback || s.mentions("lp-faas-toolbelt")):
		return convoke.ContractV1
	case fn.parameters >= 2:
		return convoke.ContractV1
	case (fn.rest || s.mentions("arguments")) && speaksOfCallback:
		return convoke.ContractV1
	}
	return convoke.ContractV2
}

// nameless reports whether code in plain JavaScript is sure to have nothing
// that the worker could call: it neither says lambda nor exports anything. What
// may be there, such as what another file or eval puts into a variable of that
// name, is left to the worker.
func nameless(plain string) bool {
	s := program(scan(plain))
	return !s.mentions("lambda") && !s.mentions("exports") && !s.mentions("module")
}

// program is the tokens of a CommonJS module as esbuild prints it: no
// comments, no types, no superfluous parentheses or commas.
type program []token

func (s program) mentions(text string) bool {
	return slices.ContainsFunc(s, func(t token) bool { return (t.kind == word || t.kind == literal) && t.text == text })
}

// signature is how a function declares its parameters.
type signature struct {
	parameters int
	rest       bool
}

// lambda finds the function that the worker will call: the bare one first,
// then the exported ones, in the worker's order.
func (s program) lambda() (signature, bool) {
	if fn, ok := s.named("lambda", 0); ok {
		return fn, true
	}
	for _, target := range [][]string{
		{"exports", ".", "lambda", "="},
		{"exports", ".", "default", "="},
		{"module", ".", "exports", "="},
	} {
		for i := range s {
			if !s.at(i, target...) {
				continue
			}
			if fn, ok := s.value(i+len(target), 0); ok {
				return fn, true
			}
		}
	}
	return signature{}, false
}

// maxHops bounds the names that are followed, as in `const lambda = handler`.
const maxHops = 8

// named finds a function by its name at the top level.
func (s program) named(name string, hops int) (signature, bool) {
	for i, t := range s {
		if t.depth != 0 || t.kind != word || t.text != name {
			continue
		}
		before := s.get(i - 1).text
		switch {
		case before == "function", before == "*" && s.get(i-2).text == "function":
			return s.parameters(i + 1)
		case s.get(i+1).text == "=" && slices.Contains([]string{"var", "let", "const", ",", ";", "}", ""}, before):
			return s.value(i+2, hops)
		}
	}
	return signature{}, false
}

// value is the function that the expression at i is.
func (s program) value(i, hops int) (signature, bool) {
	if s.get(i).text == "async" && s.get(i+1).text != "=>" {
		i++
	}
	t := s.get(i)
	switch {
	case t.text == "function":
		for i++; s.get(i).text == "*" || s.get(i).kind == word; i++ {
		}
		return s.parameters(i)
	case t.text == "(":
		end := s.closing(i)
		if s.get(end+1).text == "=>" {
			return s.parameters(i)
		}
		return s.value(i+1, hops)
	case t.text == "{":
		return s.member(i, hops)
	case t.kind != word || hops == maxHops:
		return signature{}, false
	case s.get(i+1).text == "=>":
		return signature{parameters: 1}, true
	}
	for s.get(i+1).text == "." { // a = exports.lambda = …
		i += 2
	}
	switch next := s.get(i + 1); next.text {
	case "=":
		return s.value(i+2, hops+1)
	case ";", ",", "}", ")", "":
		return s.named(s.get(i).text, hops+1)
	}
	return signature{}, false
}

// member is the function `lambda` of the object literal at i.
func (s program) member(i, hops int) (signature, bool) {
	depth := s[i].depth + 1
	for j := i + 1; j < s.closing(i); j++ {
		if s[j].depth != depth || s[j].text != "lambda" || !slices.Contains([]string{"{", ",", "async", "*"}, s[j-1].text) {
			continue
		}
		switch s.get(j + 1).text {
		case "(":
			return s.parameters(j + 1)
		case ":":
			return s.value(j+2, hops)
		case ",", "}":
			return s.named("lambda", hops+1)
		}
	}
	return signature{}, false
}

// parameters reads the list that opens at i.
func (s program) parameters(i int) (signature, bool) {
	if s.get(i).text != "(" {
		return signature{}, false
	}
	var fn signature
	depth, end := s[i].depth+1, s.closing(i)
	for j := i + 1; j < end; j++ {
		if s[j].depth != depth {
			continue
		}
		switch {
		case j == i+1:
			fn.parameters++
		case s[j].text == ",":
			fn.parameters++
		}
		if s[j].text == "..." {
			fn.rest = true
		}
	}
	return fn, true
}

// closing is the index of the bracket that closes the one at i, or the end.
func (s program) closing(i int) int {
	for j := i + 1; j < len(s); j++ {
		if s[j].depth == s[i].depth {
			return j
		}
	}
	return len(s)
}

func (s program) at(i int, texts ...string) bool {
	for k, text := range texts {
		if s.get(i+k).text != text {
			return false
		}
	}
	return s[i].depth == 0
}

// get is the token at i, or an empty one outside the program.
func (s program) get(i int) token {
	if i < 0 || i >= len(s) {
		return token{}
	}
	return s[i]
}
