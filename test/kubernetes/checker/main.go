// Decodes every object of the YAML files it is given by the types of Kubernetes, strictly: an unknown field, a field
// given twice or a value of the wrong type is an error. Objects of kinds that others define (PodMonitor) are counted.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation"
	yamls "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// Groups that Kubernetes itself does not define.
var foreign = []string{"monitoring.coreos.com/"}

var errNothing = errors.New("nothing")

func main() {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme,
		json.SerializerOptions{Yaml: true, Strict: true})
	decoded, others, failed := 0, 0, 0
	for _, path := range os.Args[1:] {
		file, err := os.Open(path)
		if err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
		documents := yamls.NewYAMLReader(bufio.NewReader(file))
		for {
			text, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				fmt.Printf("%s: %v\n", path, err)
				failed++
				break
			}
			foreignKind, err := check(strict, text)
			switch {
			case errors.Is(err, errNothing):
			case err != nil:
				fmt.Printf("%s: %v\n", path, err)
				failed++
			case foreignKind:
				others++
			default:
				decoded++
			}
		}
		file.Close()
	}
	fmt.Printf("%d objects decoded strictly, %d of other groups, %d wrong\n", decoded, others, failed)
	if failed > 0 || decoded == 0 {
		os.Exit(1)
	}
}

func check(strict runtime.Decoder, text []byte) (bool, error) {
	var plain unstructured.Unstructured
	if err := yaml.UnmarshalStrict(text, &plain.Object); err != nil {
		return false, err
	}
	if len(plain.Object) == 0 {
		// Comments alone.
		return false, errNothing
	}
	name := fmt.Sprintf("%s %s/%s", plain.GetAPIVersion(), plain.GetKind(), plain.GetName())
	if wrong := validation.IsDNS1123Subdomain(plain.GetName()); len(wrong) > 0 {
		return false, fmt.Errorf("%s: %s", name, strings.Join(wrong, "; "))
	}
	for key, value := range plain.GetLabels() {
		wrong := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...)
		if len(wrong) > 0 {
			return false, fmt.Errorf("%s: label %s: %s", name, key, strings.Join(wrong, "; "))
		}
	}
	for _, group := range foreign {
		if strings.HasPrefix(plain.GetAPIVersion(), group) {
			return true, nil
		}
	}
	if _, _, err := strict.Decode(text, nil, nil); err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	return false, nil
}
