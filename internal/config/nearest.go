package config

import "strings"

// Nearest returns the name that a person who wrote word most likely meant, or
// "" when none is like it. Letter case, dashes and underscores do not count.
func Nearest(word string, names []string) string {
	plain := strings.NewReplacer("-", "", "_", "")
	word = strings.ToLower(plain.Replace(word))
	nearest, below := "", 2+len(word)/4 // typing errors
	for _, name := range names {
		if d := distance(word, strings.ToLower(plain.Replace(name))); d < below {
			nearest, below = name, d
		}
	}
	return nearest
}

// distance is the number of bytes to insert, remove or replace that makes b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
