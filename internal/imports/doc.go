// Package imports turns published traces of FaaS platforms into the invocations
// stream: what alps-collect would have seen of them on a machine where nobody
// waits. It is `alps-collect import`; docs/alps-collect.md says what becomes of
// each column.
//
//	alps-collect import --format azure2021 --sample 1/100 --utilisation 90 trace.txt | alps-sim
//
// A format is read into a source of requests in the order of their arrivals.
// Some formats are in no such order and have to be held: azure2021 and
// huawei2025, whose rows are by end, as many requests as maxRecords; azure2019,
// whose rows are by function, the counts of a day. Of huawei2023 an interval is
// held, of all others what the window needs.
//
// Where the formats are described:
//   - Azure 2019 and 2021: https://github.com/Azure/AzurePublicDataset,
//     AzureFunctionsDataset2019.md (revision 2) and
//     AzureFunctionsInvocationTrace2021.md (revision 1);
//   - Huawei 2023 and 2025: https://github.com/sir-lab/data-release,
//     README_data_release_2023.md, README_data_release_2025.md and, for the
//     columns of 2023, src/demo_private.ipynb;
//   - ALPS and SFS: see [workload.FormatALPS] and [workload.FormatSFS].
package imports
