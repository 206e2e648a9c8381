package words

import "testing"

func TestPick(t *testing.T) {
	if Pick(0) == Pick(1) {
		t.Fatal("the same line twice")
	}
}
