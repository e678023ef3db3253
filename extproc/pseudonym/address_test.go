package pseudonym

import "testing"

// The texts follow the documentation of java.net.InetAddress, Inet4Address and Inet6Address.
func TestParseIP(t *testing.T) {
	for value, want := range map[string]string{
		"10.0.0.1":            "10.0.0.1",
		"010.1.1.1":           "10.1.1.1",
		"1.2.3":               "1.2.0.3",
		"1.2":                 "1.0.0.2",
		"1.65536":             "1.1.0.0",
		"16909060":            "1.2.3.4",
		"255.255.255.255":     "255.255.255.255",
		"::":                  "0:0:0:0:0:0:0:0",
		"::1":                 "0:0:0:0:0:0:0:1",
		"2001:DB8::1":         "2001:db8:0:0:0:0:0:1",
		"2001:0db8::":         "2001:db8:0:0:0:0:0:0",
		"1:2:3:4:5:6:7:8":     "1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7::":     "1:2:3:4:5:6:7:0",
		"::2:3:4:5:6:7:8":     "0:2:3:4:5:6:7:8",
		"[::1]":               "0:0:0:0:0:0:0:1",
		"fe80::1%3":           "fe80:0:0:0:0:0:0:1%3",
		"::ffff:1.2.3.4":      "1.2.3.4",
		"::FFFF:102:304":      "1.2.3.4",
		"1::1.2.3.4":          "1:0:0:0:0:0:102:304",
		"1:2:3:4:5:6:1.2.3.4": "1:2:3:4:5:6:102:304",

		"":                      "",
		"host":                  "",
		"cafe":                  "",
		"999.1.1.1":             "",
		"1.2.3.4.5":             "",
		"1.2.3.":                "",
		".1.2.3":                "",
		"1..2":                  "",
		" 1.2.3.4":              "",
		"1.2.3.4 ":              "",
		"-1.2.3.4":              "",
		"1.2.3.4/8":             "",
		"4294967296":            "",
		"000000001.2.3.4.":      "",
		"[1.2.3.4]":             "",
		":":                     "",
		":::":                   "",
		"1:::2":                 "",
		":1:2:3:4:5:6:7":        "",
		"1:2:3:4:5:6:7:":        "",
		"1:2:3:4:5:6:7":         "",
		"1:2:3:4:5:6:7:8:9":     "",
		"1:2:3:4:5:6:7::8":      "",
		"1::2::3":               "",
		"12345::":               "",
		"g::":                   "",
		"::1.2.3":               "",
		"1:2:3:4:5:6:7:1.2.3.4": "",
		"fe80::1%eth0":          "",
		"fe80::1%":              "",
		"[::1":                  "",
	} {
		got, ok := parseIP(nil, []byte(value))
		if string(got) != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", value, got, ok, want)
		}
	}
}

// Outputs of Psoxy 0.6.9.
func TestIPVectors(t *testing.T) {
	c := codec(t, Config{})
	for value, want := range map[string]string{
		"10.0.0.1":    "p~3BU4goNN07w3ofq8v5ig2enxSWj9xnAnPOThel4mHTmrZBJVaY3CjxNEDJYfGEk_",
		"010.1.1.1":   "p~TYMu1r1qblG09DXTUddw3ZbJg7Mfeaq9bpEd0B1tIPl905tFAK-rgBYyq33w0L_Q",
		"::1":         "p~hBGHGnN1pQkop0oFnapGnm9Mx2eMc8UCcpn1nlqFdZEwI-hwfHJ1EGKd3ghzNkt7",
		"2001:DB8::1": "p~njBikXo6n6-7z6JEg8zs_E89aJQ0lje1vW3O9EkS__9FAw80OHikacElhwq0zX99JnZkhdN2FB6YSJCYf5e8Mg",
		"1.2.3":       "p~rTz-kYli-99JKkerzO5AHtJFNfdgESwJ-JKEvejx4I2VnCrMSWmBvPLj0yMtgJPi",
		"999.1.1.1":   "",
		"host":        "",
	} {
		got, ok := c.AppendIP(nil, []byte(value), true)
		if string(got) != want || ok != (want != "") {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
		hashed, _ := c.AppendIP(nil, []byte(value), false)
		if want != "" && string(hashed[2:44]) != want[2:44] { // the 43rd character also holds bits of the ciphertext
			t.Errorf("%q: hash %s does not join with %s", value, hashed, want)
		}
	}
	revealed, ok := c.AppendReveal(nil, []byte("p~rTz-kYli-99JKkerzO5AHtJFNfdgESwJ-JKEvejx4I2VnCrMSWmBvPLj0yMtgJPi"))
	if !ok || string(revealed) != "1.2.0.3" {
		t.Errorf("revealed %q, %v", revealed, ok)
	}
}

func TestIPKeysOfTheirOwn(t *testing.T) {
	plain := codec(t, Config{})
	for _, cfg := range []Config{
		{Salt: "salt", Key: "secret", IPSalt: "other"},
		{Salt: "salt", Key: "secret", IPKey: "other"},
	} {
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		own, _ := c.AppendIP(nil, []byte("::1"), true)
		shared, _ := plain.AppendIP(nil, []byte("::1"), true)
		if string(own) == string(shared) {
			t.Errorf("%+v changes no token", cfg)
		}
		if token(c, "alice@acme.com") != token(plain, "alice@acme.com") {
			t.Errorf("%+v changes tokens of addresses", cfg)
		}
	}
	same, err := New(Config{Salt: "salt", Key: "secret", IPSalt: "salt", IPKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := same.AppendIP(nil, []byte("::1"), true)
	want, _ := plain.AppendIP(nil, []byte("::1"), true)
	if string(got) != string(want) {
		t.Errorf("the same salt and key give %s, want %s", got, want)
	}
}
