"""What kind of thing a stamp shows, and what kind of sound it makes, by the folder that holds it.

The longest path that a stamp's begins with decides; None is no clear kind. Folders of fewer than eight
pictures are merged or left out, since their kinds would hardly occur in a split.
"""

from collections.abc import Mapping

THINGS: Mapping[str, str | None] = {
    "animals/mammals": "mammal",
    "animals/mammals/bears/cartoon": None,  # teddy bears
    "animals/mammals/bears/toys": None,
    "animals/marsupials": "mammal",
    "animals/birds": "bird",
    "animals/birds/cartoon": None,  # Tux, whom not everyone takes for a bird
    "animals/insects": "insect",
    **dict.fromkeys(("animals/insects/Brown_slug", "animals/insects/Woodlouse")),
    **dict.fromkeys(("animals/insects/cartoon/snail", "animals/insects/cartoon/snail2")),
    **dict.fromkeys(f"animals/insects/cartoon/spider_{of}" for of in ("computer", "fly", "football")),
    "animals/insects/cartoon/wings": None,
    "animals/fish": "fish",
    **dict.fromkeys(("animals/fish/lobster", "animals/fish/shrimp")),
    "clothes": "clothing",
    **dict.fromkeys(f"clothes/{of}" for of in ("button", "clothespin_new", "clothespin_old")),
    "food/fruit": "fruit",
    "food/vegetables": "vegetable",
    "food/vegetables/mushroom": None,
    "hobbies/music": "instrument",
    "household": "household item",
    "household/arttools": None,
    "household/tools": "tool",
    **dict.fromkeys(("household/tools/cementmixer", "household/tools/toolbox")),
    "military/vehicles": "vehicle",
    "military/vehicles/ww2_german_gun": None,
    "plants/flowers": "flower",
    "seasonal/halloween/grave-": "gravestone",
    "space/planets": "planet",
    "space/planets/0_sun": None,
    "symbols/chess": "chess piece",
    "symbols/math": "number",
    "symbols/math/operators": None,
    **{f"symbols/money/{of}": "coin" for of in ("canadian", "euro", "japanese", "us")},
    "town/houses": "building",
    **dict.fromkeys(("town/houses/cartoon/cave_entrance", "town/houses/cartoon/city")),
    "town/roadsigns": "road sign",
    **dict.fromkeys(("town/roadsigns/stoplight", "town/roadsigns/traffic_cone")),
    "vehicles": "vehicle",
    **dict.fromkeys(("vehicles/7spoke256", "vehicles/wheel_tractor")),
    "vehicles/locomotive/cartoon/trainSign": None,
}
THING_KINDS = tuple(sorted({kind for kind in THINGS.values() if kind}))

# Sounds that are missing here are voices, or nobody can tell what they are: a toy of four letters, a hat, a
# ghost, faces, road signs.
SOUNDS: Mapping[str, str | None] = {
    "animals": "animal",
    "food/fruit/apple_red": "noise",  # a bite
    "hobbies/camera_35mm": "noise",
    "hobbies/music": "instrument",
    "hobbies/music/percussion": "drum",
    "household": "noise",
    "military/final-roll-call": "instrument",  # a bugle
    "naturalforces": "noise",
    "seasonal/christmas/gift": "noise",  # its paper
    "seasonal/halloween/blackcat": "animal",
    "seasonal/newyears/fireworks": "noise",
    "town/flags/checkeredflag": "noise",  # racing cars
    "vehicles": "noise",
}
# One recording without a sound stands for animals that are not heard.
SILENT = frozenset(
    {"animals/birds/nandou", "animals/lizards/iguana", "animals/mammals/giraffe", "animals/marsupials/wombat"}
)


def kind_in(table: Mapping[str, str | None], path: str) -> str | None:
    """The kind of a stamp by the longest beginning of its path that a table has.

    >>> kind_in(THINGS, "animals/mammals/cats/lion"), kind_in(THINGS, "animals/mammals/bears/toys/teddy")
    ('mammal', None)
    """
    return table[max(known, key=len)] if (known := [one for one in table if path.startswith(one)]) else None
