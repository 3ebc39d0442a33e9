"""Rule sources: where each rule of a benchmark is published."""

_VQA = "Antol et al. 2015; GT-Vision-Lab/VQA, vqaEval.py"

SOURCES: dict[str, str] = {
    "vqa_accuracy": f"{_VQA}, since March 2021",
    "vqa_accuracy_2017": f"{_VQA}, until March 2021",
    "vqa_accuracy_normalised": "VLMEvalKit, vqa_eval.py; open_flamingo",
    "vqa_accuracy_no_answer_ids": f"{_VQA}, on a file without answer ids",
    "evalai_accuracy": "M4C's evaluator of TextVQA (facebookresearch/mmf); LLaVA; lmms-eval",
    "gqa_accuracy": "Hudson & Manning 2019; eval.py, as in MILVLG/openvqa",
    "gqa_accuracy_caseless": "lmms-eval, tasks/gqa/gqa.yaml",
    "music_avqa_accuracy": "Li et al. 2022; GeWu-Lab/MUSIC-AVQA, main_avst.py",
    "music_avqa_contained": "Liu et al. 2025; dragonlzm/PAVE, calculate_acc.py: target in predicted",
    "avqa_accuracy": "Yang et al. 2022; AlyssaYoung/AVQA, validate.py",
    "accuracy": "choices read by letter or name, nothing guessed; no script of the benchmark",
    "exact_match": "lmms-eval, tasks/pope/utils.py, and metric exact_match",
    "yes_no_accuracy": "replies read as yes or no, nothing guessed; no script of the benchmark",
    "yes_no_words": "VLMEvalKit, utils/yorn.py, YOrN_Extraction",
    "pope_first_sentence": "Li et al. 2023; AoiDragon/POPE, evaluate.py",
    "mme_first_letters": "lmms-eval, tasks/mme/utils.py, after MME's calculation.py",
    "cmm_first_letters": "Leng et al. 2024; DAMO-NLP-SG/CMM, calculate_score.py",
    "clotho_aqa_accuracy": "Lipping et al. 2022: any annotator's answer; no script for replies in words",
    "clotho_aqa_unanimous": "lmms-eval, clotho_aqa_test_unanimous: questions on which all agree",
    "scienceqa_letter": "lmms-eval, tasks/scienceqa/utils.py",
    "scienceqa_llava": "haotian-liu/LLaVA, eval_science_qa.py",
    "mmau_words": "Sakshi et al. 2024; Sakshi113/MMAU, evaluation.py; ddlBoJack/MMAR, evaluation.py",
    "daily_omni_first_letter": "Zhou et al. 2025; Lliar-liar/Daily-Omni, test_utils.py",
    "omnibench_last_letter": "Li et al. 2024; OmniBench, answer_parsing.py",
    "worldsense_any_letter": "Hong et al. 2025; VLMEvalKit, utils/worldsense.py",
}
