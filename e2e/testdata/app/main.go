// Fortune prints a line and the name-based id of it, so that a test knows what to expect.
package main

import (
	"fmt"
	"os"

	"example.com/fortune/words"
	"github.com/google/uuid"
)

func main() {
	line := words.Pick(len(os.Args) - 1)
	fmt.Printf("%s %s\n", uuid.NewSHA1(uuid.NameSpaceURL, []byte(line)), line)
}
