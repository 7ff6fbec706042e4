//go:build !unix

package config

// LockProfile does nothing here: of two commands that renew a sign-in in the
// same moment one can end it, and says to sign in again.
func LockProfile(string) (unlock func(), err error) { return func() {}, nil }
