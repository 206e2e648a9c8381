// Package words holds what the application says.
package words

var lines = []string{"a slipway is where ships begin", "layers all the way down"}

// Pick returns a line; any number is in range.
func Pick(n int) string { return lines[n%len(lines)] }
