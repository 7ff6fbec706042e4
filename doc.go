// Package convoke holds the nouns of the product, their rules, their error
// codes and the contracts of the stores that keep them. It imports the
// standard library only; every other package of the module may import it.
package convoke
