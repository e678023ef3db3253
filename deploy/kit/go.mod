module github.com/graphveil/graphveil/deploy/kit

go 1.26.0

replace github.com/graphveil/graphveil => ../..
