package chart

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// checkRestricted asks the code of Kubernetes' admission whether a namespace that enforces
// the level "restricted" takes a Pod, by the rules of the oldest version that the
// chart is for and by the newest.
func checkRestricted(t *testing.T, meta *metav1.ObjectMeta, pod *corev1.PodSpec) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []api.Version{api.MajorMinorVersion(1, 30), api.LatestVersion()} {
		results := evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: version}, meta, pod)
		if len(results) == 0 {
			t.Fatal("nothing was checked")
		}
		for _, r := range results {
			if !r.Allowed {
				t.Errorf("%s: %s: %s", version.String(), r.ForbiddenReason, r.ForbiddenDetail)
			}
		}
	}
}
