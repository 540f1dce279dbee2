// Command govectors prints how Go's encoding/json spells floats, strings and times, one case a line.
//
//	cd tools/govectors && go run . > ../../tests/vectors/go_encoding.jsonl
//
// Inputs are spelled so that no reader can get them wrong: a float by its 64 bits (hexadecimal), a string by the
// hexadecimal of its UTF-8, a time as nanoseconds since 1970 in UTC.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"os"
	"time"
)

type vector struct {
	Type  string `json:"type"`
	Input string `json:"input"`
	Go    string `json:"go"`
}

func spelled(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func write(kind, input string, value any) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(vector{kind, input, spelled(value)}); err != nil {
		panic(err)
	}
	os.Stdout.Write(line.Bytes())
}

func writeFloat(value float64) {
	write("float", fmt.Sprintf("%016x", math.Float64bits(value)), value)
}

func floats(random *rand.Rand) {
	edges := []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, 1.5, 100, 1e-5, 1e-6, 9.999999999999999e-7, 1e-7, 1.5e-9, 1e15, 1e16, 123456789012345680,
		1e20, 999999999999999900000, 1e21, 1.5e21, 1e22, 1e100, 1e-100, math.Pi, math.MaxFloat64, math.SmallestNonzeroFloat64,
		2.2250738585072014e-308, 9007199254740993, 0.30000000000000004, 5e-5, 1.7976931348623157e308,
	}
	for _, value := range edges {
		writeFloat(value)
		writeFloat(-value)
	}
	for exponent := -30; exponent <= 30; exponent++ {
		writeFloat(math.Pow(10, float64(exponent)))
		writeFloat(random.Float64() * math.Pow(10, float64(exponent)))
	}
	for range 100 {
		if value := math.Float64frombits(random.Uint64()); !math.IsNaN(value) && !math.IsInf(value, 0) {
			writeFloat(value)
		}
	}
}

func writeString(value string) {
	write("string", hex.EncodeToString([]byte(value)), value)
}

func strings(random *rand.Rand) {
	for char := range rune(0x100) {
		writeString(string(char))
	}
	for _, value := range []string{
		"", "\u2027", "\u2028", "\u2029", "\u202a", "\ufffd", "\ufeff", "\ue000", "\U0001f600", "<a href=\"x\">&amp;</a>",
		`C:\u0000`, `\`, `\\u2028`, "mixed \u2028 <é> \x00 \x7f / '",
	} {
		writeString(value)
	}
	for range 50 {
		var value []rune
		for range random.Intn(12) {
			value = append(value, []rune("ab<>&\"\\/\n\t\x01\x7fé\u2028\u2029😀")[random.Intn(16)])
		}
		writeString(string(value))
	}
}

func times(random *rand.Rand) {
	write1 := func(nanos int64) { write("time", fmt.Sprint(nanos), time.Unix(0, nanos).UTC()) }
	for _, nanos := range []int64{0, -1000, 1000, 1_000_000, 500_000_000, 1_767_323_045_678_900_000, -1_000_000_000_000_000_000} {
		write1(nanos)
	}
	for range 40 {
		write1(random.Int63n(4e18) / 1000 * 1000) // Python's times have microseconds
	}
}

func main() {
	random := rand.New(rand.NewSource(1))
	floats(random)
	strings(random)
	times(random)
}
