// Command podfields prints how Go writes a PodTemplateSpec as JSON: the fields of every type below it, in the order of
// the Go structs, with the rule by which a field is left out. crates/core hashes templates by it, as Argo Rollouts does.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// field is [name, kind, omit]: omit is "" (always written), "empty" or "zero".
type field [3]string

var types = map[string][]field{}

func kind(t reflect.Type) string {
	switch t {
	case reflect.TypeOf(resource.Quantity{}):
		return "quantity"
	case reflect.TypeOf(intstr.IntOrString{}):
		return "any"
	case reflect.TypeOf(metav1.Time{}):
		return "time"
	case reflect.TypeOf(metav1.FieldsV1{}):
		return "any"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + kind(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string"
		}
		return "[]" + kind(t.Elem())
	case reflect.Map:
		return "map:" + kind(t.Elem())
	case reflect.Struct:
		describe(t)
		return t.Name()
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32:
		return "int"
	}
	panic(fmt.Sprintf("no kind for %s", t))
}

func fields(t reflect.Type) []field {
	var out []field
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("json"), ",")
		inline, omit := f.Anonymous && tag[0] == "", ""
		for _, option := range tag[1:] {
			switch option {
			case "inline":
				inline = true
			case "omitempty":
				if omit == "" {
					omit = "empty"
				}
			case "omitzero":
				omit = "zero"
			}
		}
		if inline {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			out = append(out, fields(inner)...)
			continue
		}
		if tag[0] == "-" || tag[0] == "" {
			continue
		}
		out = append(out, field{tag[0], kind(f.Type), omit})
	}
	return out
}

func describe(t reflect.Type) {
	if _, known := types[t.Name()]; known {
		return
	}
	types[t.Name()] = nil
	types[t.Name()] = fields(t)
}

func main() {
	describe(reflect.TypeOf(corev1.PodTemplateSpec{}))
	names := make([]string, 0, len(types))
	for name := range types {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintln(os.Stdout, "{")
	for i, name := range names {
		line, err := json.Marshal(types[name])
		if err != nil {
			panic(err)
		}
		comma := ","
		if i == len(names)-1 {
			comma = ""
		}
		fmt.Fprintf(os.Stdout, "%q: %s%s\n", name, line, comma)
	}
	fmt.Fprintln(os.Stdout, "}")
}
