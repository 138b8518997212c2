"""What the columns of tables are usually called, whoever wrote them."""

from collections.abc import Mapping

# Usual names, the likeliest first. Capitals, blanks, hyphens and underscores in a name do not count.
IMAGE = (
    "image", "path", "image_path", "file", "filename", "file_name", "filepath", "file_path", "img", "img_path", "pth",
    "image_name", "img_name", "image_file", "picture", "photo",
)  # fmt: skip
LABEL = (
    "label", "emotion", "expression", "class", "labels", "emotions", "emotion_label", "expression_label", "label_name",
    "emotion_name", "class_name", "class_label", "facial_expression", "category",
)  # fmt: skip
SPLIT = ("split", "subset", "usage", "partition", "data_split", "set", "fold", "phase")
SUBJECT = ("subject", "subject_id", "person", "person_id", "participant", "participant_id", "identity", "actor")
CLIP = ("clip", "clip_id", "sequence", "sequence_id", "video", "video_id", "video_name")
BOX = ("face_box",)  # a column `bbox` may hold corners or sizes: it has to be named
SIDES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"))
# Columns of Sample under these names, and the usual ones; the first two are numbers from -1 to 1.
FACTS: Mapping[str, tuple[str, ...]] = {
    "valence": ("valence",),
    "arousal": ("arousal",),
    "frame": ("frame", "frame_id", "frame_number", "frame_index"),
    "age": ("age", "age_group"),
    "gender": ("gender", "sex"),
    "ethnicity": ("ethnicity", "race"),
}
