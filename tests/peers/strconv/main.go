// Command strconv_peer reads and writes numbers and quotes texts with Go's own strconv, as Prometheus' programs do.
//
// Each line of standard input is an operation and its operand; each line of standard output is the answer:
//
//	float TEXT      the bits of the value in hexadecimal, "nan", "syntax" or "range"
//	int TEXT        the int64 in decimal, "syntax" or "range"
//	format BITS     the text of the float64 with these bits
//	quote BYTES     the bytes, which are given in hexadecimal, in quotes
package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

func fault(err error) string {
	if errors.Is(err, strconv.ErrRange) {
		return "range"
	}
	return "syntax"
}

func answer(operation, operand string) string {
	switch operation {
	case "float":
		// Every parser of the text format refuses hexadecimal floats and digit separators before it asks strconv.
		if strings.ContainsAny(operand, "pP_") {
			return "syntax"
		}
		value, err := strconv.ParseFloat(operand, 64)
		if err != nil {
			return fault(err)
		}
		if math.IsNaN(value) {
			return "nan"
		}
		return fmt.Sprintf("%016x", math.Float64bits(value))
	case "int":
		value, err := strconv.ParseInt(operand, 10, 64)
		if err != nil {
			return fault(err)
		}
		return strconv.FormatInt(value, 10)
	case "format":
		bits, err := strconv.ParseUint(operand, 16, 64)
		if err != nil {
			panic(err)
		}
		value := math.Float64frombits(bits)
		// The encoder writes both zeros as an integer.
		if value == 0 {
			return "0"
		}
		return strconv.FormatFloat(value, 'g', -1, 64)
	case "quote":
		text, err := hex.DecodeString(operand)
		if err != nil {
			panic(err)
		}
		return strconv.Quote(string(text))
	}
	panic("unknown operation " + operation)
}

func main() {
	input := bufio.NewReader(os.Stdin)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	for {
		line, err := input.ReadString('\n')
		if err != nil {
			return
		}
		operation, operand, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		fmt.Fprintln(output, answer(operation, operand))
	}
}
