package peers

import "github.com/buger/jsonparser"

// Walk visits every value of a body with jsonparser, and returns how many bytes
// names and scalars have: so much a program does that only looks.
func Walk(body []byte) (int, error) {
	value, kind, _, err := jsonparser.Get(body)
	if err != nil {
		return 0, err
	}
	visited := 0
	err = walk(value, kind, &visited)
	return visited, err
}

func walk(value []byte, kind jsonparser.ValueType, visited *int) error {
	switch kind {
	case jsonparser.Object:
		return jsonparser.ObjectEach(value, func(name, value []byte, kind jsonparser.ValueType, _ int) error {
			*visited += len(name)
			return walk(value, kind, visited)
		})
	case jsonparser.Array:
		var failed error
		_, err := jsonparser.ArrayEach(value, func(value []byte, kind jsonparser.ValueType, _ int, err error) {
			if failed == nil {
				if failed = err; err == nil {
					failed = walk(value, kind, visited)
				}
			}
		})
		if failed != nil {
			return failed
		}
		return err
	}
	*visited += len(value)
	return nil
}
