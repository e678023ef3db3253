package odata

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func segments(values ...string) []string { return values }

func TestParseTargetPath(t *testing.T) {
	for _, test := range []struct {
		target string
		want   []string
	}{
		{"/v1.0/users", segments("v1.0", "users")},
		{"/V1.0/Users", segments("V1.0", "Users")},
		{"/v1.0/users('x')/messages", segments("v1.0", "users", "x", "messages")},
		{"/v1.0/users/x/messages", segments("v1.0", "users", "x", "messages")},
		{"/v1.0/users('$x@y.com')", segments("v1.0", "users", "$x@y.com")},
		{"/v1.0/users('o''brien@y.com')", segments("v1.0", "users", "o'brien@y.com")},
		{"/v1.0/users/o'brien@y.com", segments("v1.0", "users", "o'brien@y.com")},
		{"/v1.0/users/a%23EXT%23@y.com", segments("v1.0", "users", "a#EXT#@y.com")},
		{"/v1.0/users/a%20b", segments("v1.0", "users", "a b")},
		{"/v1.0/users/a+b@y.com", segments("v1.0", "users", "a+b@y.com")},
		{"/v1.0/users(userPrincipalName='x')", segments("v1.0", "users(userprincipalname='x')")},
		{"/v1.0/users(1)", segments("v1.0", "users(1)")},
		{"/v1.0/f(a=1,B='x')", segments("v1.0", "f(a=1,b='x')")},
		{"/v1.0/f(a='x,b=''y''=z')/h", segments("v1.0", "f(a='x,b=''y''=z')", "h")},
		{"/v1.0/f(from=2024-01-31T00%3A00:00Z,to=2024-02-01T00:00:00+01:00)", segments("v1.0", "f(from=2024-01-31T00:00:00Z,to=2024-02-01T00:00:00+01:00)")},
		{"/v1.0/f(token=YWJj%3D=)", segments("v1.0", "f(token=YWJj==)")},
		{"/v1.0/%66(a='x%20y%2C%25')", segments("v1.0", "f(a='x y,%')")},
		{"/v1.0/users/delta()", segments("v1.0", "users", "delta()")},
		{"/v1.0/users/microsoft.graph.delta", segments("v1.0", "users", "microsoft.graph.delta")},
		{"/v1.0/users/$count", segments("v1.0", "users", "$count")},
		{"/v1.0/chats/19:a_b@unq.gbl.spaces/messages", segments("v1.0", "chats", "19:a_b@unq.gbl.spaces", "messages")},
		{"/v1.0/chats/19%3Aa%40thread.v2", segments("v1.0", "chats", "19:a@thread.v2")},
		{"/v1.0/users/%E6%97%A5", segments("v1.0", "users", "日")},
	} {
		got, err := ParseTarget(test.target)
		if err != nil {
			t.Errorf("%s: %v", test.target, err)
			continue
		}
		var values []string
		for _, s := range got.Segments {
			values = append(values, s.String())
		}
		if !reflect.DeepEqual(values, test.want) {
			t.Errorf("%s: segments %q, want %q", test.target, values, test.want)
		}
	}
}

// Every spelling that graph-facts section 1 asks to refuse, and their kin.
func TestParseTargetRefuses(t *testing.T) {
	long := strings.Repeat("a", MaxTarget)
	for _, test := range []struct{ name, target, code string }{
		{"empty", "", CodeMalformed},
		{"asterisk form", "*", CodeMalformed},
		{"absolute form", "https://graph.example/v1.0/users", CodeMalformed},
		{"authority form", "graph.example:443", CodeMalformed},
		{"no slash", "v1.0/users", CodeMalformed},
		{"too long", "/" + long, CodeMalformed},
		{"too many segments", strings.Repeat("/a", MaxSegments+1), CodeMalformed},
		{"too many options", "/a?" + manyOptions(MaxOptions+1), CodeMalformed},
		{"root", "/", CodeAmbiguous},
		{"empty segment", "/v1.0//users", CodeAmbiguous},
		{"leading empty segment", "//graph.example/v1.0/users", CodeAmbiguous},
		{"trailing slash", "/v1.0/users/", CodeAmbiguous},
		{"slash", "/v1.0/users%2Fx", CodeAmbiguous},
		{"slash lower", "/v1.0/users%2fx", CodeAmbiguous},
		{"backslash", `/v1.0\users`, CodeAmbiguous},
		{"encoded backslash", "/v1.0%5Cusers", CodeAmbiguous},
		{"semicolon", "/v1.0/users;v=1", CodeAmbiguous},
		{"encoded semicolon", "/v1.0/users%3Bv=1", CodeAmbiguous},
		{"dot", "/v1.0/./users", CodeAmbiguous},
		{"dot dot", "/v1.0/users/../me", CodeAmbiguous},
		{"last dot dot", "/v1.0/users/..", CodeAmbiguous},
		{"encoded dot dot", "/v1.0/users/%2e%2E/me", CodeAmbiguous},
		{"half encoded dot dot", "/v1.0/users/.%2e/me", CodeAmbiguous},
		{"dots and space", "/v1.0/users/..%20/me", CodeAmbiguous},
		{"dot dot before a key", "/v1.0/users/..('x')", CodeAmbiguous},
		{"dot dot key", "/v1.0/users('..')", CodeAmbiguous},
		{"double encoding", "/v1.0/users/%252e%252e", CodeAmbiguous},
		{"double encoding of slash", "/v1.0/users/a%252Fb", CodeAmbiguous},
		{"double encoding in a name", "/v1.0/users?%2524top=1", CodeAmbiguous},
		{"double encoding in a value", "/v1.0/users?$filter=a%20eq%20%2527b%2527", CodeAmbiguous},
		{"double encoding, the digits encoded too", "/v1.0/users?$filter=a%20eq%20%25%32%37b", CodeAmbiguous},
		{"double encoding of a dot, one digit encoded", "/v1.0/users/%25%32e", CodeAmbiguous},
		{"nul", "/v1.0/users%00", CodeAmbiguous},
		{"raw nul", "/v1.0/users\x00", CodeAmbiguous},
		{"newline", "/v1.0/users%0a", CodeAmbiguous},
		{"raw newline", "/v1.0/users\r\nHost: x", CodeAmbiguous},
		{"tab in a value", "/v1.0/users?$filter=a%09eq%091", CodeAmbiguous},
		{"nul in a value", "/v1.0/users?$top=1%00", CodeAmbiguous},
		{"delete", "/v1.0/users%7f", CodeAmbiguous},
		{"space", "/v1.0/users x", CodeAmbiguous},
		{"not UTF-8", "/v1.0/users/%ff", CodeAmbiguous},
		{"raw not UTF-8", "/v1.0/users/\xff", CodeAmbiguous},
		{"overlong slash", "/v1.0/users/%c0%af", CodeAmbiguous},
		{"overlong dot", "/v1.0/users/%c0%ae%c0%ae", CodeAmbiguous},
		{"surrogate", "/v1.0/users/%ed%a0%80", CodeAmbiguous},
		{"mixed raw and encoded UTF-8", "/v1.0/users/\xe6%97%a5", CodeAmbiguous},
		{"bad escape", "/v1.0/users/%zz", CodeAmbiguous},
		{"short escape", "/v1.0/users/%2", CodeAmbiguous},
		{"lone percent", "/v1.0/users?$top=5%", CodeAmbiguous},
		{"%u escape", "/v1.0/users/%u002e", CodeAmbiguous},
		{"fragment", "/v1.0/$metadata#users", CodeAmbiguous},
		{"fragment in the query", "/v1.0/users?$top=1#x", CodeAmbiguous},
		{"key not closed", "/v1.0/users('x'", CodeAmbiguous},
		{"key quote not closed", "/v1.0/users('x)", CodeAmbiguous},
		{"text after key", "/v1.0/users('x')y", CodeAmbiguous},
		{"two keys", "/v1.0/users('x')('y')", CodeAmbiguous},
		{"key without name", "/v1.0/('x')", CodeAmbiguous},
		{"empty key", "/v1.0/users('')", CodeAmbiguous},
		{"single quote in key", "/v1.0/users('a'b')", CodeAmbiguous},
		{"encoded quotes", "/v1.0/users(%27x%27)", CodeAmbiguous},
		{"encoded quote in key", "/v1.0/users('a%27b')", CodeAmbiguous},
		{"encoded parenthesis", "/v1.0/users%28'x'%29", CodeAmbiguous},
		{"closing parenthesis", "/v1.0/users)", CodeAmbiguous},
		{"argument twice", "/v1.0/f(a=1,a=2)", CodeAmbiguous},
		{"argument twice, other case", "/v1.0/f(a=1,A='2')", CodeAmbiguous},
		{"argument without a name", "/v1.0/f(a=1,2)", CodeAmbiguous},
		{"argument with an empty name", "/v1.0/f(=1)", CodeAmbiguous},
		{"encoded name of an argument", "/v1.0/f(%61=1)", CodeAmbiguous},
		{"empty argument", "/v1.0/f(a=)", CodeAmbiguous},
		{"argument after a comma missing", "/v1.0/f(a=1,)", CodeAmbiguous},
		{"encoded comma in an argument", "/v1.0/f(a=1%2Cb=2)", CodeAmbiguous},
		{"encoded quote of an argument", "/v1.0/f(a=%27x%27)", CodeAmbiguous},
		{"encoded quote in an argument", "/v1.0/f(a='x%27,b=%271')", CodeAmbiguous},
		{"encoded parenthesis in an argument", "/v1.0/f(a=1%29)", CodeAmbiguous},
		{"nested call", "/v1.0/f(a=g(1))", CodeAmbiguous},
		{"argument not closed", "/v1.0/f(a='x)", CodeAmbiguous},
		{"text after an argument", "/v1.0/f(a='x'y)", CodeAmbiguous},
		{"space between arguments", "/v1.0/f(a=1,%20b=2)", CodeAmbiguous},
		{"slash in an argument", "/v1.0/f(a='x%2Fy')", CodeAmbiguous},
		{"double encoding in an argument", "/v1.0/f(a='%2527')", CodeAmbiguous},
		{"two calls", "/v1.0/f()()", CodeAmbiguous},
		{"slash in key", "/v1.0/users('a/b')", CodeAmbiguous},
		{"encoded slash in key", "/v1.0/users('a%2Fb')", CodeAmbiguous},
		{"semicolon splits the query", "/v1.0/users?$top=1;$expand=x", CodeAmbiguous},
		{"option twice", "/v1.0/users?$top=1&$top=2", CodeAmbiguous},
		{"option twice, without dollar", "/v1.0/users?$top=1&top=2", CodeAmbiguous},
		{"option twice, other case", "/v1.0/users?$top=1&$TOP=2", CodeAmbiguous},
		{"option twice, encoded", "/v1.0/users?$top=1&%24t%6fp=2", CodeAmbiguous},
		{"no name", "/v1.0/users?=5", CodeAmbiguous},
		{"dollar alone", "/v1.0/users?$=5", CodeAmbiguous},
		{"two dollars", "/v1.0/users?$$top=5", CodeAmbiguous},
		{"empty pair", "/v1.0/users?$top=1&&$skip=1", CodeAmbiguous},
		{"trailing ampersand", "/v1.0/users?$top=1&", CodeAmbiguous},
		{"space in a name", "/v1.0/users?$top%20=1", CodeAmbiguous},
		{"plus in a name", "/v1.0/users?+$top=1", CodeAmbiguous},
		{"name that folds to ASCII", "/v1.0/users?$s%E2%84%AAip=1", CodeAmbiguous},
		{"brackets in a name", "/v1.0/users?$top[]=1", CodeAmbiguous},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseTarget(test.target)
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("%.80q: got %+v, %v; want a refusal", test.target, got, err)
			}
			if refused.Code != test.code {
				t.Errorf("%.80q: code %s, want %s", test.target, refused.Code, test.code)
			}
			if !reflect.DeepEqual(got, Target{}) {
				t.Errorf("%.80q: refused, but returned %+v", test.target, got)
			}
		})
	}
}

func manyOptions(n int) string {
	var names []string
	for i := range n {
		names = append(names, "o"+strings.Repeat("x", i))
	}
	return strings.Join(names, "&")
}

func TestParseTargetQuery(t *testing.T) {
	for _, test := range []struct {
		target string
		want   []Option
	}{
		{"/a", nil},
		{"/a?", nil},
		{"/a?$top=5", []Option{{"top", "5"}}},
		{"/a?%24top=10&%24skip=10", []Option{{"top", "10"}, {"skip", "10"}}},
		{"/a?TOP=5&model=A", []Option{{"top", "5"}, {"model", "A"}}},
		{"/a?$skipToken=X'44'", []Option{{"skiptoken", "X'44'"}}},
		{"/a?$filter=a+eq+'b%2Bc'", []Option{{"filter", "a eq 'b+c'"}}},
		{"/a?$expand=m($select=id%3B$top=5)", []Option{{"expand", "m($select=id;$top=5)"}}},
		{"/a?$search=\"x%26$top=1\"", []Option{{"search", "\"x&$top=1\""}}},
		{"/a?$count", []Option{{"count", ""}}},
		{"/a?x=a=b", []Option{{"x", "a=b"}}},
		{"/a?x=100%25", []Option{{"x", "100%"}}},
		{"/a?x=?", []Option{{"x", "?"}}},
	} {
		got, err := ParseTarget(test.target)
		if err != nil {
			t.Errorf("%s: %v", test.target, err)
			continue
		}
		if !reflect.DeepEqual(got.Options, test.want) {
			t.Errorf("%s: options %+v, want %+v", test.target, got.Options, test.want)
		}
	}
}

func TestParseSealedTakesDoubleEncoding(t *testing.T) {
	const target = "/v1.0/chats/x/messages?$skiptoken=a%253db"
	if _, err := ParseTarget(target); err == nil {
		t.Error("ParseTarget accepts double encoding")
	}
	got, err := ParseSealed(target)
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := got.Option("skiptoken"); !ok || o.Value != "a%3db" {
		t.Errorf("option %+v", o)
	}
	for _, path := range []string{"/v1.0/a%252Fb", "/v1.0/x?%2524top=1"} {
		if _, err := ParseSealed(path); err == nil {
			t.Errorf("ParseSealed accepts %s", path)
		}
	}
}

func TestTargetErrorHoldsNoValue(t *testing.T) {
	for _, target := range []string{"/v1.0/canary%2F", "/v1.0/users?canary=1&canary=2", "canary"} {
		_, err := ParseTarget(target)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: error %v", target, err)
		}
	}
}

func TestAppend(t *testing.T) {
	call := AppendCall(nil, "f", []Argument{{"From", "2024-01-31T00:00:00+01:00", false}, {"b", "o'b, (c)=/;%日", true}})
	if want := "f(From=2024-01-31T00%3A00%3A00%2B01%3A00,b='o''b%2C%20%28c%29%3D%2F%3B%25%E6%97%A5')"; string(call) != want {
		t.Errorf("call %s, want %s", call, want)
	}
	if got := string(AppendSegment(nil, "a/b c#?%;日'()$&+:")); got != "a%2Fb%20c%23%3F%25%3B%E6%97%A5%27%28%29%24%26%2B%3A" {
		t.Errorf("segment %s", got)
	}
	got := string(AppendOption(AppendOption([]byte("/p?"), "$filter", "a eq 'x&y=z+w%'"), "$top", "5"))
	if got != "/p?$filter=a%20eq%20'x%26y%3Dz%2Bw%25'&$top=5" {
		t.Errorf("options %s", got)
	}
}

// FuzzParseTarget: no panic, and what was accepted is stable: encoded afresh and
// parsed again it is the same.
func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{
		"/v1.0/users('x')/messages?$select=id&%24top=5", "/v1.0/users/a%23EXT%23@y.com?$filter=a+eq+'b%2Bc'",
		"/v1.0/users(userPrincipalName='x')", "/f(a=1,b='o''b')", "/a//b", "/a/%2e%2e", "/a?x=%2525", "/a?$$x", "/v1.0/users('o''b')", "/a?;",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got, err := ParseTarget(target)
		if err != nil {
			return
		}
		path := got.Path()
		for _, s := range got.Segments {
			if !s.Call && strings.ContainsAny(s.Value, "()") {
				return // a key that only its quotes make one; never forwarded
			}
		}
		dst := append([]byte(path), '?')
		for _, o := range got.Options {
			dst = AppendOption(dst, o.Name, o.Value)
		}
		again, err := ParseTarget(string(dst))
		if err != nil {
			if len(dst) > MaxTarget { // encoding made it longer
				return
			}
			t.Fatalf("%q: accepted, but its canonical form %q is not: %v", target, dst, err)
		}
		if again.Path() != path || !reflect.DeepEqual(again.Segments, got.Segments) || len(again.Options) != len(got.Options) {
			t.Fatalf("%q: %q differs", target, dst)
		}
		for i := range got.Options {
			if got.Options[i].Name != again.Options[i].Name || got.Options[i].Value != again.Options[i].Value {
				t.Fatalf("%q: option %d differs: %+v %+v", target, i, got.Options[i], again.Options[i])
			}
		}
	})
}
