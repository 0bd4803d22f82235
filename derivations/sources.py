"""The papers that derivations, laws and claims rest on, named once; ``HERE`` is what no paper prints."""

from __future__ import annotations

from typing import Final

HERE: Final = "derived here"
NFD: Final = "arXiv 2512.21075"
TP4: Final = "Tensor Programs IV (arXiv 2011.14522)"
TP6: Final = "Tensor Programs VI (arXiv 2310.02244)"
COMPLETEP: Final = "CompleteP (arXiv 2505.01618)"
SPECTRAL_CONDITION: Final = "arXiv 2310.17813"
WIDTH_DEPTH: Final = "spectral condition in width and depth (arXiv 2603.00541)"
EVERETT: Final = "Everett et al. (arXiv 2407.05872)"
INFINITE_LIMITS: Final = "Bordelon et al. (arXiv 2405.15712)"
BOLTHAUSEN: Final = "conditioning of Gaussian matrices: Bolthausen (arXiv 1201.2891), Tensor Programs"
BAHRI: Final = "Explaining Neural Scaling Laws (arXiv 2102.06701)"
MALONEY: Final = "Maloney, Roberts and Sully (arXiv 2210.16859)"
NARROW: Final = "Vyas et al. (arXiv 2305.18411); Bordelon and Pehlevan (arXiv 2304.03408)"
FEATURE_LEARNING: Final = "Bordelon, Atanasov and Pehlevan (arXiv 2409.17858)"
DYNAMICAL: Final = "Bordelon, Atanasov and Pehlevan (arXiv 2402.01092)"
HAAS: Final = "Haas et al. (arXiv 2505.22491)"
DEFILIPPIS: Final = "Defilippis et al. (arXiv 2509.24882)"
MONTANARI: Final = "Bayati and Montanari (arXiv 1008.2581)"
ELSHARKAWY: Final = "Elsharkawy, Kahn and Hooberman (arXiv 2503.05938)"
