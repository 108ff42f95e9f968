// Package evaluate judges predictors by recorded turns. It is behind alps-tune
// evaluate: it reads windows of the turns stream, and writes CSV that is no
// stream of the pipeline.
//
// Each window is judged before it is learnt from: what the policy made of the
// windows before predicts for a class, against every turn of the class in this
// one ([Errors]). The invocations behind the turns are simulated too, under the
// policies that each predictor would have made, beside SRPT.
//
//	result, err := evaluate.Run(ctx, readers, evaluate.Options{
//		Predictors: []evaluate.Predictor{{"mean", tune.Mean{}}, {"last", tune.Last{}}},
//		Tune:       tune.Options{Params: tune.DefaultParams, History: 1, RankBy: tune.RankByGittins},
//		Policy:     evaluate.ALPS,
//		Skip:       1,
//	})
//	if err != nil {
//		return err
//	}
//	return result.Write(os.Stdout)
package evaluate
